"""The HTTP API that staff, contractors, residents' apps and the console use."""
