"""SQL of aggregation mode: each function works on the caller's connection, inside the caller's transaction."""
