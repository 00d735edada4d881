"""Devices, alerts, timelines, faults and tokens in SQLite or PostgreSQL."""

from storage.records.alert_records import AlertRecordsAdapter as AlertRecordsAdapter
from storage.records.database import RecordsDatabase as RecordsDatabase
from storage.records.records import RecordsAdapter as RecordsAdapter
from storage.records.schema import upgrade as upgrade
from storage.records.tokens import TokensAdapter as TokensAdapter
