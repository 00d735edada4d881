"""Unit tests of the device models, incidents and the fleet."""
