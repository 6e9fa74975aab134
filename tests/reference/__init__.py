"""Slow, plain implementations with nothing in common with the ones under test: the measure for them."""
