"""The ways to run a model: here, or at an endpoint."""
