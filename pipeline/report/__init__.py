"""A run for people: a page of HTML, an overview, the neighbours of a word."""
