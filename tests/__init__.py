"""Tests, a folder a floor; helpers that several floors share lie here."""
