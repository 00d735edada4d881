"""Devices, alerts, timelines, faults and tokens in SQLite or PostgreSQL."""

from storage.records.database import RecordsDatabase as RecordsDatabase
from storage.records.schema import upgrade as upgrade
