"""Writes what users paid for aggregation from the chain into the database, exactly once."""
