"""What a biLM is: its options, weights, outputs and characters."""
