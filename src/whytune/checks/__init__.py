"""Validate dataset: findings about a version, never changes to it."""
