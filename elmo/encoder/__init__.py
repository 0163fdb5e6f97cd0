"""Sentences to vectors: prefix trees, token vectors, passes."""

DEFAULT_MEMORY = 1 << 30  # bytes for the vectors of one pass through the model
