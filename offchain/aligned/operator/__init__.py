"""The operator: follows batches, verifies every proof in them, and votes with its BLS key."""
