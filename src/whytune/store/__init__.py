"""Where records, rows and blobs are kept; the only room that knows SQL and paths; it adds, and never changes."""
