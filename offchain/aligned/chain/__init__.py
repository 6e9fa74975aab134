"""Ethereum: client, contract bindings, the one transaction sender, the event cursor, keys."""
