"""Bad days, each on real processes: what breaks beside the main path must not stop it."""
