"""A run's files: their names, how they are written, and the settings among them."""
