"""ELMo: a biLM over characters, its weights and its encoder. No Beam, no Arrow."""
