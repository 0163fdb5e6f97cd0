"""What the commands share of a terminal: flags, lines, signals."""
