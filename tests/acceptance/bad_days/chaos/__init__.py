"""The day of chaos: an installation, what it has to survive, and what its devices and people do meanwhile."""
