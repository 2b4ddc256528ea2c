"""From a candidate and an input to an answer: prompts, retrieval, backends."""
