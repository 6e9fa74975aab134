"""Files, ports and settings of one devnet: what each role is told."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from aligned.core.errors import ProtocolError
from aligned.devnet.keys import RoleKeys
from aligned.devnet.process import free_port
from aligned.settings import INVALID_SETTINGS

# The package is used from a checkout: contracts are compiled there and the deployment parameters are kept there.
PROJECT: Final = Path(__file__).resolve().parents[3]
ARTIFACTS: Final = PROJECT / ".build" / "__local__.json"
PARAMS: Final = PROJECT / "deployments" / "params"

HOME_IN_USE: Final = "home_in_use"
_MARKER = ".aligned-devnet"
Sections = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Layout:
    """Folders of a devnet below `home`."""

    home: Path

    def take(self) -> IO[bytes]:
        """Makes the home, or takes one that a devnet has had. Nothing in it is touched, see `empty`.

        Returns:
            What holds the folder: close it when the devnet has ended.

        Raises:
            ProtocolError: invalid_settings: the folder holds files of somebody else; home_in_use: a devnet runs there.
        """
        if self.home.exists() and not self.is_ours and any(self.home.iterdir()):
            raise ProtocolError(
                INVALID_SETTINGS,
                f"{self.home} is not empty and no devnet of ours; name another folder (--home)",
            )
        self.home.mkdir(parents=True, exist_ok=True)
        holder = self._marker.open("ab")
        try:
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder.close()
            text = f"a devnet runs in {self.home}: end it, or name another folder (--home)"
            raise ProtocolError(HOME_IN_USE, text) from None
        return holder

    def empty(self) -> None:
        """Deletes what an earlier devnet left in a home that was taken."""
        for entry in self.home.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry != self._marker:
                entry.unlink()

    @property
    def is_ours(self) -> bool:
        """Whether a devnet has had this folder, so that it may be written to and emptied."""
        return self._marker.exists()

    @property
    def _marker(self) -> Path:
        return self.home / _MARKER

    @property
    def deployment_file(self) -> Path:
        """Addresses of the contracts."""
        return self.home / "deployment.json"

    @property
    def store(self) -> Path:
        """Batch files."""
        return self.home / "store"

    def log(self, name: str) -> Path:
        """Log of a process."""
        return self.home / "logs" / f"{name}.log"

    def settings(self, name: str) -> Path:
        """Settings of a role."""
        return self.home / "settings" / f"{name}.toml"

    def database(self, name: str, url: str) -> Path:
        """A file with the URL of a database, for `database.url_file`; a URL may hold a password."""
        path = self.home / "settings" / f"{name}.database-url"
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(url + "\n")
        return path


@dataclass(frozen=True, slots=True)
class Shared:
    """What all roles of a devnet have in common."""

    rpc_url: str
    chain_id: int
    layout: Layout
    store_url: str

    def sections(self) -> dict[str, Mapping[str, object]]:
        """Sections of every role's settings."""
        return {
            "chain": {
                "rpc_urls": [self.rpc_url],
                "chain_id": self.chain_id,
                "deployment_file": str(self.layout.deployment_file),
                "poll_s": 0.3,
                "bump_after_s": 10,
            },
            "store": {"url": str(self.layout.store), "public_base_url": self.store_url},
        }


def batcher_sections(shared: Shared, keys: RoleKeys, port: int) -> Sections:
    """Settings of the batcher; a batch may close in every block."""
    own = {
        "port": port,
        "metrics_port": free_port(),
        "batch_interval_blocks": 1,
        "verifier_workers": 1,
        "receipt_deadline_s": 600,
        "invalid_free": 100,  # what must be refused comes from one account
        "stranger_message_burst": 1_000,  # and everybody from one address
    }
    return shared.sections() | {"batcher": own | key_fields(keys)}


def aggregator_sections(shared: Shared, keys: RoleKeys, port: int) -> Sections:
    """Settings of the aggregator."""
    return shared.sections() | {"aggregator": {"port": port, "late_signer_wait_s": 0.5} | key_fields(keys)}


def operator_sections(shared: Shared, keys: RoleKeys, port: int, aggregator_url: str) -> Sections:
    """Settings of an operator; the devnet's store is on a private address."""
    own = {
        "port": port,
        "aggregator_urls": [aggregator_url],
        "allow_private_hosts": True,
        "verifier_workers": 1,
        "bls_keystore_file": str(keys.bls_keystore_file),
        "bls_password_file": str(keys.password_file),
    }
    return shared.sections() | {"operator": own | key_fields(keys)}


def key_fields(keys: RoleKeys) -> dict[str, object]:
    """What a role with an account is told about its key."""
    return {"keystore_file": str(keys.keystore_file), "password_file": str(keys.password_file)}


def write_settings(path: Path, sections: Sections) -> None:
    """Writes TOML; the values are texts, numbers, booleans and lists of texts, whose JSON form TOML shares."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    for name, fields in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
        lines.append("")
    path.write_text("\n".join(lines))
