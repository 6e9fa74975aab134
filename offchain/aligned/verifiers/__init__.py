"""Verification of proofs: one verifier per proving system, and the pool of processes in which they run."""
