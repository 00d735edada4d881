"""The API over small in-memory records, tokens, telemetry and journal."""
