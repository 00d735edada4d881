"""The parts of Anju, each able to run alone or beside the others: ingest, alerts, api."""

from app.parts.alerts import Alerts as Alerts
from app.parts.api import Api as Api
from app.parts.ingest import Ingest as Ingest
