"""Find data, create dataset: sources in, one sealed version out; what is removed leaves a countable reason."""
