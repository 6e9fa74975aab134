"""One proof as a CBOR map: inside batch files and inside submissions.

Two forms of the same map are read. The early one writes blobs as arrays of integers and absent ones as null; the later
one writes byte strings and leaves absent ones out, which is the form written here.
"""

from __future__ import annotations

from typing import Any

from aligned.core.types import ProvingSystem, VerificationData
from aligned.wire import fields
from aligned.wire.cbor import Fields

_BLOBS = ("pub_input", "verification_key", "vm_program_code")


def parse(value: Any) -> VerificationData:
    """The proof in a decoded map.

    Raises:
        ProtocolError: malformed_message, unknown_proving_system.
    """
    entries = Fields(value, "verification_data")
    system = ProvingSystem.from_wire(entries.take("proving_system", fields.text))
    data = VerificationData(
        system,
        proof=entries.take("proof", fields.blob),
        pub_input=entries.optional("pub_input", fields.blob),
        verification_key=entries.optional("verification_key", fields.blob),
        vm_program_code=entries.optional("vm_program_code", fields.blob),
        proof_generator_addr=entries.take("proof_generator_addr", fields.address),
    )
    entries.done()
    return data


def to_map(data: VerificationData) -> dict[str, Any]:
    """The map to encode, blobs as byte strings."""
    entries: dict[str, Any] = {"proving_system": data.proving_system.wire_name, "proof": data.proof}
    entries |= {name: blob for name in _BLOBS if (blob := getattr(data, name)) is not None}
    return entries | {"proof_generator_addr": fields.to_hex(data.proof_generator_addr)}
