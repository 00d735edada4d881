"""Twins of the stores that live in memory: for tests, and nothing survives them."""
