"""Training a biLM: the two language models whose states are the vectors."""
