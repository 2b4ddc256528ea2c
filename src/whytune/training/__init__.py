"""Train and dev examples in, one adapter out; never handed a test example."""
