"""What the world does to a step while it runs: cancels it, changes under it, or answers it badly.

- `awaits`: acts, or cancels, at the n-th await of a step; `at_each_await` goes through all of them in turn.
- `node`: a JSON-RPC proxy that acts before the n-th call of a method, or answers in the node's place.
- `statements`: acts before the n-th statement that a pool sends to PostgreSQL.
"""
