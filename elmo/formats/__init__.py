"""The files that biLMs come in, one module each, and the handles that name them."""
