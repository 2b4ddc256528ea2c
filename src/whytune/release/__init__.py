"""An accepted candidate becomes something others can run, with hashes."""
