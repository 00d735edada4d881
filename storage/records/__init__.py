"""Devices, alerts, faults, the outbox, calls, what people keep, tokens and sessions, in SQLite or PostgreSQL."""

from storage.records.alert_acts import AlertActsAdapter as AlertActsAdapter
from storage.records.alert_records import AlertRecordsAdapter as AlertRecordsAdapter
from storage.records.alert_steps import AlertStepsAdapter as AlertStepsAdapter
from storage.records.call_points import CallPointsAdapter as CallPointsAdapter
from storage.records.call_records import CallRecordsAdapter as CallRecordsAdapter
from storage.records.code_records import CodesAdapter as CodesAdapter
from storage.records.controller_codes import ControllerCodesAdapter as ControllerCodesAdapter
from storage.records.database import RecordsDatabase as RecordsDatabase
from storage.records.desk_records import DeskRecordsAdapter as DeskRecordsAdapter
from storage.records.good_configurations import GoodConfigurationsAdapter as GoodConfigurationsAdapter
from storage.records.open_counts import OpenCounts as OpenCounts
from storage.records.outbox import OutboxAdapter as OutboxAdapter
from storage.records.person_tests import PersonTestsAdapter as PersonTestsAdapter
from storage.records.quality import QualityAdapter as QualityAdapter
from storage.records.records import RecordsAdapter as RecordsAdapter
from storage.records.registry import RegistryAdapter as RegistryAdapter
from storage.records.rota_overrides import RotaOverridesAdapter as RotaOverridesAdapter
from storage.records.rule_book import RuleBookAdapter as RuleBookAdapter
from storage.records.schema import upgrade as upgrade
from storage.records.sessions import SessionsAdapter as SessionsAdapter
from storage.records.suppressions import SuppressionsAdapter as SuppressionsAdapter
from storage.records.tokens import TokensAdapter as TokensAdapter
from storage.records.unreadable_watch import UnreadableWatch as UnreadableWatch
