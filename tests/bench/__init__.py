"""Figures of the whole product on real servers: throughput, latency and cost, printed by `make bench`."""
