"""The formats of input files, one module each, and what they share."""
