"""The job: command line, the graph, progress, accounts, verify and inspect."""

__version__ = "0.1.0"
