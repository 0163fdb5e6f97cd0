"""ELMo: a biLM over characters, its weights and its encoder. No Beam, no Arrow."""

import os

# TensorFlow logs its start-up to stderr from C++; users see one line an event, and those are ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
