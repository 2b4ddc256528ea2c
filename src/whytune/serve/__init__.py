"""The applications' door: an OpenAI-compatible gateway."""
