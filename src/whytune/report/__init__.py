"""The decision as people and programs read it: HTML, Markdown, JSON and charts, from the record alone."""
