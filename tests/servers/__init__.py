"""Real servers for tests: how they are found, brought (`fetch.py`), run in a folder of their own, and killed."""
