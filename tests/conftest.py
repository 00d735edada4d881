"""Fixtures for the whole suite, and how properties are tried."""

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.servers.plugin", "tests.browser.plugin", "tests.contract.records_fixtures"]

# A machine that is busy with other things must fail no test: properties are about behaviour, not about the clock.
settings.register_profile(
    "anju", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("anju")
