"""The wall clock is set forward or back while messages wait: they are tried, and given up, in their time."""
