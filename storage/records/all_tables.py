"""Every table of the records database in one place, so that whoever compares them misses none."""

from storage.records import call_tables as call_tables
from storage.records import desk_tables as desk_tables
from storage.records import kept_tables as kept_tables
from storage.records.tables import metadata as metadata
