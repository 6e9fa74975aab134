"""Client library: submit proofs, wait for them, verify them on chain.

async with AlignedClient(DEVNET, devnet_account(5)) as client:
    receipt = (await client.submit([data]))[0].unwrap()
    verified = (await client.wait(receipt)).verification_data()

`SyncClient` is the same for blocking code.
"""

from aligned.core.errors import AlignedError
from aligned.core.types import InclusionProof, ProvingSystem, VerificationData
from aligned.sdk._sync import SyncClient
from aligned.sdk.accounts import devnet_account
from aligned.sdk.client import AlignedClient
from aligned.sdk.funds import Account
from aligned.sdk.models import Inclusion, ProofVerificationData, Receipt, State, Submission, SubmitResult
from aligned.sdk.network import DEVNET, NetworkConfig
from aligned.sdk.posting import PreparedBatch, prepare_batch

__all__ = [
    "DEVNET",
    "Account",
    "AlignedClient",
    "AlignedError",
    "Inclusion",
    "InclusionProof",
    "NetworkConfig",
    "PreparedBatch",
    "ProofVerificationData",
    "ProvingSystem",
    "Receipt",
    "State",
    "Submission",
    "SubmitResult",
    "SyncClient",
    "VerificationData",
    "devnet_account",
    "prepare_batch",
]
