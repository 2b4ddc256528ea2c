"""The command line: one file a noun, each command a few lines on top of the workspace."""
