"""Pure domain code: encodings, trees, fees, quorum arithmetic. No I/O, clock, randomness or asyncio."""
