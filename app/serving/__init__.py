"""The HTTP server's connections: who gets one, for how long, and what gives way when there are too many."""
