"""deposit, balance, nonce, estimate-fee, fee-cap, unlock, lock, withdraw."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from eth_account.signers.local import LocalAccount

from aligned.chain.types import ChainReceipt
from aligned.cli.files import Ether, Hex
from aligned.cli.options import network_options, signer_options
from aligned.cli.output import Result, command, ether, fields_table
from aligned.cli.strict import StrictCommand
from aligned.sdk.client import AlignedClient
from aligned.sdk.network import NetworkConfig


@click.command(cls=StrictCommand)
@click.argument("amount", type=Ether())
@click.option("--for", "user", type=Hex(20), help="Whose account to credit [default: the signer's].")
@command
@network_options
@signer_options
async def deposit(network: NetworkConfig, account: LocalAccount, amount: int, user: bytes | None) -> Result:
    """Deposit AMOUNT (0.1ether, 30gwei, 1000wei) for proofs.

    \b
    Example:
      aligned deposit 0.1ether --keystore key.json --password-file key.pass
    """
    async with AlignedClient(network, account) as client:
        receipt = await client.deposit(amount, user)
        state = await client.balance(user)
    return _sent(receipt, balance_wei=str(state.balance_wei), balance=ether(state.balance_wei))


@click.command(cls=StrictCommand)
@click.argument("address", type=Hex(20))
@command
@network_options
async def balance(network: NetworkConfig, address: bytes) -> Result:
    """Show the deposit, fee cap and lock of ADDRESS.

    \b
    Example:
      aligned balance 0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc --json
    """
    async with AlignedClient(network) as client:
        state = await client.balance(address)
    return Result(
        {
            "address": "0x" + address.hex(),
            "balance_wei": str(state.balance_wei),
            "balance": ether(state.balance_wei),
            "fee_cap_wei": str(state.fee_cap_wei),
            "nonce_on_chain": state.nonce,
            "withdrawable_from": state.unlocked_at_s or None,
        },
        fields_table(
            {
                "address": "0x" + address.hex(),
                "balance": ether(state.balance_wei),
                "fee cap for a proof": ether(state.fee_cap_wei),
                "nonce on chain": state.nonce,
                "withdrawable": _withdrawable(state.unlocked_at_s),
            }
        ),
    )


@click.command(cls=StrictCommand)
@click.argument("address", type=Hex(20))
@command
@network_options
async def nonce(network: NetworkConfig, address: bytes) -> Result:
    """Show the nonce that the next proof of ADDRESS must carry, queued proofs counted.

    \b
    Example:
      aligned nonce 0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc
    """
    async with AlignedClient(network) as client:
        return Result({"address": "0x" + address.hex(), "nonce": await client.nonce(address)})


@click.command(cls=StrictCommand, name="estimate-fee")
@click.option("--batch-size", type=click.IntRange(1, 10_000), default=1, show_default=True)
@command
@network_options
async def estimate_fee(network: NetworkConfig, batch_size: int) -> Result:
    """Show the price of one proof in a batch of --batch-size, at the present gas price.

    With the price for a batch of 1 a proof never waits for others; a larger batch is cheaper.

    \b
    Example:
      aligned estimate-fee --batch-size 10 --json
    """
    async with AlignedClient(network) as client:
        fee_wei = await client.estimate_fee(batch_size)
    return Result(
        {"batch_size": batch_size, "fee_per_proof_wei": str(fee_wei), "fee_per_proof": ether(fee_wei)}
    )


@click.command(cls=StrictCommand, name="fee-cap")
@click.argument("cap", type=Ether())
@command
@network_options
@signer_options
async def fee_cap(network: NetworkConfig, account: LocalAccount, cap: int) -> Result:
    """Set the most that the contract lets the batcher charge you for one proof; 0 restores the default.

    Raising it works at once. Lowering it needs an empty balance, or one whose waiting time after `unlock` is over.

    \b
    Example:
      aligned fee-cap 0.001ether --devnet-account 5
    """
    async with AlignedClient(network, account) as client:
        return _sent(await client.set_fee_cap(cap), cap_wei=str(cap))


@click.command(cls=StrictCommand)
@command
@network_options
@signer_options
async def unlock(network: NetworkConfig, account: LocalAccount) -> Result:
    """Start the waiting time before a withdrawal. The batcher takes no proofs from you until you lock or deposit.

    \b
    Example:
      aligned unlock --devnet-account 5
    """
    async with AlignedClient(network, account) as client:
        receipt = await client.unlock()
        return _sent(receipt, withdrawable_from=(await client.balance()).unlocked_at_s)


@click.command(cls=StrictCommand)
@command
@network_options
@signer_options
async def lock(network: NetworkConfig, account: LocalAccount) -> Result:
    """Stop the waiting time that `unlock` started.

    \b
    Example:
      aligned lock --devnet-account 5
    """
    async with AlignedClient(network, account) as client:
        return _sent(await client.lock())


@click.command(cls=StrictCommand)
@click.argument("amount", type=Ether())
@command
@network_options
@signer_options
async def withdraw(network: NetworkConfig, account: LocalAccount, amount: int) -> Result:
    """Take AMOUNT of your unlocked deposit out.

    \b
    Example:
      aligned withdraw 0.05ether --devnet-account 5
    """
    async with AlignedClient(network, account) as client:
        receipt = await client.withdraw(amount)
        return _sent(receipt, balance_wei=str((await client.balance()).balance_wei))


def _withdrawable(unlocked_at_s: int) -> str:
    if not unlocked_at_s:
        return "no, it is locked for proofs; `aligned unlock` starts the waiting time"
    return f"from {datetime.fromtimestamp(unlocked_at_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _sent(receipt: ChainReceipt, **more: object) -> Result:
    sent = {
        "tx_hash": "0x" + receipt.tx_hash.hex(),
        "block": receipt.block_number,
        "gas_used": receipt.gas_used,
    }
    return Result(sent | more)
