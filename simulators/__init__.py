"""Stand-ins for hardware: pure device models, named incidents, and a publisher."""
