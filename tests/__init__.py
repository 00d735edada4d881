"""Tests of Anju: unit, contract, integration and acceptance, and the real servers they talk to."""
