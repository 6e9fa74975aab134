"""A batch of one's own: built here, uploaded by the caller, posted straight to the service manager."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aligned.core.commitment import Commitments, commit
from aligned.core.errors import MALFORMED_MESSAGE, ProtocolError
from aligned.core.merkle import MerkleTree
from aligned.core.types import VerificationData
from aligned.sdk.models import ProofVerificationData
from aligned.wire.batch_file import encode_batch

MAX_POST_PROOFS: Final = 1_024


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch file and its tree.

    Attributes:
        file: what operators download.
        key: name of the object, from the file's content.
    """

    file: bytes
    key: str
    root: bytes
    tree: MerkleTree
    commitments: tuple[Commitments, ...]

    def verification_data(self, sender: bytes) -> list[ProofVerificationData]:
        """Arguments of the Solidity call for each proof, once `sender` (20 bytes) has posted the batch."""
        return [
            ProofVerificationData(
                proof_commitment=parts.proof,
                pub_input_commitment=parts.pub_input,
                aux_commitment=parts.aux,
                generator=parts.generator,
                batch_root=self.root,
                merkle_path=self.tree.path(index),
                index=index,
                sender_address=sender,
            )
            for index, parts in enumerate(self.commitments)
        ]


def prepare_batch(proofs: Sequence[VerificationData]) -> PreparedBatch:
    """Encodes proofs and builds their tree; leaf i is proof i.

    Raises:
        ProtocolError: malformed_message for no proofs or too many.
    """
    if not 0 < len(proofs) <= MAX_POST_PROOFS:
        raise ProtocolError(MALFORMED_MESSAGE, f"{len(proofs)} proofs; a batch has 1 to {MAX_POST_PROOFS}")
    commitments = tuple(commit(data) for data in proofs)
    tree = MerkleTree([parts.leaf for parts in commitments])
    file = encode_batch(proofs)
    key = hashlib.sha256(file).hexdigest() + ".cbor"
    return PreparedBatch(file, key, tree.root, tree, commitments)
