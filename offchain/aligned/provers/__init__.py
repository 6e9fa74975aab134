"""Aggregating programs and the workers that prove them."""
