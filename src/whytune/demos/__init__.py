"""Three small cases, written for this project: files only, no code."""
