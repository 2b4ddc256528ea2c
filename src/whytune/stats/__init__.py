"""Numbers from numbers: intervals, paired tests, corrections and power; imports nothing of ours."""
