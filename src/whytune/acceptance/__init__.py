"""Is fine-tuning worth it, and is this candidate accepted: with the reasons."""
