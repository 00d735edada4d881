"""Fixtures for the whole suite."""

pytest_plugins = ["tests.servers.plugin", "tests.contract.records_fixtures"]
