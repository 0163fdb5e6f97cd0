"""The biLM's layers in TensorFlow."""
