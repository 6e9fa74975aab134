"""Gateway of aggregation mode: takes signed proofs over HTTP, verifies them, and says what becomes of them."""
