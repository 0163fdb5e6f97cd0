"""The job and everything around it: commands, the call from Python, progress, accounts."""
