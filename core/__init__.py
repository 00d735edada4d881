"""The words everything else speaks: devices, wire contract, observations, fault kinds, errors, clock."""
