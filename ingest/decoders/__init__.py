"""One decoder per source: a pure function from a journal entry to an observation or a rejection."""
