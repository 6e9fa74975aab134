"""How large a submission may be: proof, public input, key and program together, by proving system.

The one table: client, batcher, operators and inspection all ask here, so that what one takes the others take too.
"""

from __future__ import annotations

from typing import Final

from aligned.core.types import ProvingSystem

_MIB: Final = 1 << 20
MAX_SIZE_BYTES: Final = {
    ProvingSystem.SP1: 16 * _MIB,
    ProvingSystem.RISC0: 16 * _MIB,
    # snarkjs' files for about 3,900 public inputs (180 bytes of key and up to 81 of public.json each).
    ProvingSystem.CIRCOM_GROTH16_BN256: _MIB,
}


def max_size_bytes(system: ProvingSystem, policy_bytes: int) -> int:
    """The largest submission of this system that a service takes whose own limit is `policy_bytes`."""
    return min(MAX_SIZE_BYTES.get(system, policy_bytes), policy_bytes)
