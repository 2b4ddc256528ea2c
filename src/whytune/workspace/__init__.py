"""The Python API: one method for each box of the flowchart; the only room that joins a stage to the store."""
