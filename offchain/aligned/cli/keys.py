"""keys new-ecdsa, keys new-bls."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from aligned.cli.options import PASSWORD_ENV
from aligned.cli.output import Result, command
from aligned.cli.strict import StrictGroup

_FILE = click.Path(dir_okay=False, path_type=Path)
_password_file = click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the new key's password; otherwise $ALIGNED_KEYSTORE_PASSWORD is read.",
)


@click.group(cls=StrictGroup)
def keys() -> None:
    """Make encrypted key files. An existing file is never overwritten."""


@keys.command(name="new-ecdsa")
@click.argument("file", type=_FILE)
@_password_file
@command
async def new_ecdsa(file: Path, password_file: Path | None) -> Result:
    """Make an Ethereum account in keystore FILE (the form that Ape, geth and cast read).

    \b
    Example:
      aligned keys new-ecdsa keys/batcher.json --password-file keys/batcher.pass
    """
    from aligned.chain.keys import read_password, save_ecdsa

    _refuse_existing(file)
    address = save_ecdsa(file, secrets.token_bytes(32), read_password(password_file, PASSWORD_ENV))
    return Result({"file": str(file), "address": address})


@keys.command(name="new-bls")
@click.argument("file", type=_FILE)
@_password_file
@command
async def new_bls(file: Path, password_file: Path | None) -> Result:
    """Make an operator's BN254 BLS key in keystore FILE.

    \b
    Example:
      aligned keys new-bls keys/operator.bls.json --password-file keys/operator.pass
    """
    from aligned_native import bls_secret_from_seed

    from aligned.chain.keys import read_password, save_bls
    from aligned.core.bls import SecretKey

    _refuse_existing(file)
    key = SecretKey(bls_secret_from_seed(secrets.token_bytes(32)))
    save_bls(file, key.raw, key.public_keys()[0], read_password(password_file, PASSWORD_ENV))
    return Result({"file": str(file), "operator_id": "0x" + key.operator_id().hex()})


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise click.UsageError(f"{file} exists; keys are never overwritten")
