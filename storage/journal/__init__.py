"""The journal on disk: one SQLite file."""
