"""One answerer, the sealed examples, scores with intervals; which arm is better, by how much, and how sure."""
