"""The people's door over HTTP: the same nouns as the command line, under one API."""
