"""The day of calls: an estate that runs, who calls and who helps there, and what must hold of every call of the day."""
