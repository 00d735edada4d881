"""Real servers and a browser for tests: how they are found and brought (`fetch.py`), run in own folders, and killed."""
