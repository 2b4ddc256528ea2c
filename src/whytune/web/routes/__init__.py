"""The addresses, one file a noun; each holds `routes`."""
