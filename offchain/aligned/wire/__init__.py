"""Message types and bounded decoders. Everything here reads bytes that an attacker may have written."""
