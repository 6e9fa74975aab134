"""Aligned: proof verification and aggregation for Ethereum."""

__version__ = "0.1.0"
