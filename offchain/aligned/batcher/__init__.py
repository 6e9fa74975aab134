"""The batcher: takes proofs from users, and puts them into batches on chain."""
