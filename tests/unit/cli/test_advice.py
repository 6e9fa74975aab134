"""Errors whose message does not say what to do next come with a step."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from aligned.chain.errors import TxReverted
from aligned.cli.advice import advice
from aligned.cli.main import cli
from aligned.cli.output import Result, command
from aligned.core.errors import CHAIN_UNAVAILABLE, DependencyError, PaymentError, ProofError


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (
            DependencyError(CHAIN_UNAVAILABLE, "127.0.0.1:8545: eth_chainId: ClientConnectorError"),
            "make devnet",
        ),
        (DependencyError("batcher_unavailable", "x"), "--batcher-url"),
        (DependencyError("gateway_unavailable", "x"), "--gateway-url"),
        (PaymentError("insufficient_balance", "the balance is 0 wei"), "aligned deposit"),
        (TxReverted("FundsLocked(0, 1795941908)", error_name="FundsLocked"), "aligned unlock"),
        (TxReverted("CapLocked(1)", error_name="CapLocked"), "aligned unlock"),
    ],
)
def test_advice__known_trouble__names_the_command_or_option(error: Exception, step: str) -> None:
    found = advice(error)  # type: ignore[arg-type]
    assert found is not None
    assert step in found


def test_advice__every_command_that_is_named__exists() -> None:
    from aligned.cli import advice as module

    texts = [*module._BY_CODE.values(), *module._BY_REVERT.values()]
    named = {text.split("`aligned ")[1].split("`")[0].split()[0] for text in texts if "`aligned " in text}
    assert named <= set(cli.list_commands(click.Context(cli)))


def test_advice__unknown_trouble__nothing_is_made_up() -> None:
    assert advice(ProofError("invalid_proof", "the pairing does not hold")) is None


def test_failed_command__next_step__on_stderr_and_in_json() -> None:
    @click.command()
    @command
    async def fails() -> Result:
        raise DependencyError(CHAIN_UNAVAILABLE, "[no] markup is lost")

    done = CliRunner(mix_stderr=False).invoke(fails, ["--json"])
    assert done.exit_code == 3
    assert "next: is a node running" in done.stderr
    assert "[no] markup is lost" in done.stderr
    assert "make devnet" in json.loads(done.stdout)["error"]["next"]
