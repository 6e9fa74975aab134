"""Client library: submit proofs, wait for them, verify them on chain.

async with AlignedClient(DEVNET, devnet_account(5)) as client:
    receipt = (await client.submit([data]))[0].unwrap()
    verified = (await client.wait(receipt)).verification_data()

Aggregation mode:

async with AggregationClient(DEVNET_AGGREGATION, devnet_account(5)) as client:
    receipt = await client.wait(await client.submit(ProofFiles(AggregationSystem.SP1, proof, key, public_values)))
    assert await client.verify_inclusion(receipt, public_values)

Circom's files as other tools write them: `normalise_circom(proof, public_inputs, key).data()`.

`SyncClient` and `SyncAggregationClient` are the same for blocking code.
"""

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import AlignedError
from aligned.core.types import InclusionProof, ProvingSystem, VerificationData
from aligned.sdk._sync import SyncClient
from aligned.sdk._sync_aggregation import SyncAggregationClient
from aligned.sdk.accounts import devnet_account
from aligned.sdk.aggregation import AggregationClient
from aligned.sdk.aggregation_models import check_receipt, read_receipt
from aligned.sdk.aggregation_submission import ProofFiles
from aligned.sdk.circom import CircomFiles
from aligned.sdk.circom import normalise as normalise_circom
from aligned.sdk.client import AlignedClient
from aligned.sdk.funds import Account
from aligned.sdk.leaves import Leaves, RootOnChain
from aligned.sdk.models import Inclusion, ProofVerificationData, Receipt, State, Submission, SubmitResult
from aligned.sdk.network import DEVNET, DEVNET_AGGREGATION, AggregationNetwork, NetworkConfig
from aligned.sdk.posting import PreparedBatch, prepare_batch
from aligned.sdk.proof_warnings import ProofWarning

__all__ = [
    "DEVNET",
    "DEVNET_AGGREGATION",
    "Account",
    "AggregationClient",
    "AggregationNetwork",
    "AggregationSystem",
    "AlignedClient",
    "AlignedError",
    "CircomFiles",
    "Inclusion",
    "InclusionProof",
    "Leaves",
    "NetworkConfig",
    "PreparedBatch",
    "ProofFiles",
    "ProofVerificationData",
    "ProofWarning",
    "ProvingSystem",
    "Receipt",
    "RootOnChain",
    "State",
    "Submission",
    "SubmitResult",
    "SyncAggregationClient",
    "SyncClient",
    "VerificationData",
    "check_receipt",
    "devnet_account",
    "normalise_circom",
    "prepare_batch",
    "read_receipt",
]
