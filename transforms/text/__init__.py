"""Text to tokens: normalization, sentences, tokenizers."""
