"""Tests of whytune.stats."""
