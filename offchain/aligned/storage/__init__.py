"""State that survives a restart: PostgreSQL, the object store, and downloads of what others stored."""
