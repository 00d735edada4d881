"""Telemetry stores: the history of every signal, in InfluxDB 2.x or in one SQLite file."""
