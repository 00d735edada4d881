"""Tests against real servers: broker, time-series database, records database."""
