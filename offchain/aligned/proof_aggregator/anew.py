"""Chunks whose proofs cannot be used are proved anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aligned.proof_aggregator.folders import remove_folder
from aligned.storage.aggregation import chunks
from aligned.storage.postgres import Connection


async def prove_anew(conn: Connection, chunk_ids: Sequence[int], reason: str) -> None:
    """Frees the chunks and removes their results, before anybody can take them: an engine would find its old result
    and call the job finished.
    """
    results = [await chunks.prove_again(conn, chunk_id, reason) for chunk_id in chunk_ids]
    for result in filter(None, results):
        await remove_folder(Path(result))
