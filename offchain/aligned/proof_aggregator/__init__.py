"""Aggregates verified proofs: chunks, one final proof a root, one transaction with its blobs."""
