"""A finished run, read: its vectors, its labels, its words."""
