"""Beam transforms from text shards to part files of ELMo vectors."""
