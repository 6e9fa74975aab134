"""`ape run proof submit|wait|status|verify|inspect`: a user's side.

ape run proof submit --system SP1 --proof fib.proof --vk fib.vk --wait verified --devnet-account 5
"""

from __future__ import annotations

import click

from aligned.cli.inspect import inspect
from aligned.cli.proofs import status, submit, verify_onchain, wait
from aligned.cli.strict import StrictGroup


@click.group(cls=StrictGroup, name="proof")
def cli() -> None:
    """Submit proofs, follow them, and ask the contract about them."""


for command, name in (
    (submit, "submit"),
    (wait, "wait"),
    (status, "status"),
    (verify_onchain, "verify"),
    (inspect, "inspect"),
):
    cli.add_command(command, name)
