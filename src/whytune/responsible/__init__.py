"""Responsible AI: probes in, findings out, always base against tuned."""
