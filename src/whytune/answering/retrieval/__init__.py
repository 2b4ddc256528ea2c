"""Documents cut into passages, and the passages that fit a question."""
