"""Adapters of the ports: journal, telemetry, records, and their memory twins."""
