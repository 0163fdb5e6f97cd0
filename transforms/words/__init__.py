"""The occurrences of a list of words, and what a run keeps of them."""
