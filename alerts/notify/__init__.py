"""Telling people: the words, the ways to reach them, and the deliverer that tries until they have it."""
