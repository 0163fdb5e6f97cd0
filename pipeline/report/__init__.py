"""A run for people: a page of HTML, an overview, the uses of a word."""
