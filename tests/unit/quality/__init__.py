"""Unit tests of the scored corpus: its worlds, links and judge."""
