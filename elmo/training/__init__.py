"""Training a biLM: the language models whose states the vectors are."""
