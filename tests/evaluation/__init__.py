"""Tests of whytune.evaluation."""
