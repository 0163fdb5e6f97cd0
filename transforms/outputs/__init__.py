"""The formats of part files, one module each, and their columns."""
