"""The frozen values that pass from room to room; no I/O."""
