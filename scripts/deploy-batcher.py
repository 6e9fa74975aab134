"""`ape run deploy-batcher --deployment FILE --batcher 0x… --output FILE`: a payment service for a batcher of one's own.

It stands in front of contracts that exist; see docs/operations. The same as `aligned deploy batcher`.
"""

from __future__ import annotations

from aligned.cli.deploy import deploy_batcher as cli

__all__ = ["cli"]
