"""Runs work apart from its caller and says how it goes; knows nothing of what it runs."""
