"""Levels that prove nothing stay on the devnet; workers get the memory that the settings give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import ProtocolError
from aligned.proof_aggregator.lines import check_level, open_engine
from aligned.provers.commands import GIB, worker_command
from aligned.provers.levels import LEVELS, ProvingLevel
from aligned.settings import ProofAggregatorSettings

SP1, RISC0 = AggregationSystem.SP1, AggregationSystem.RISC0
EVERY = [(system, level) for system in (SP1, RISC0) for level in LEVELS[system]]


@pytest.mark.parametrize(("system", "level"), EVERY)
def test_check_level__devnet__takes_every_level_of_the_system(
    system: AggregationSystem, level: ProvingLevel
) -> None:
    check_level(system, level, 31_337)


@pytest.mark.parametrize("chain_id", [1, 560_048, 31_338])
@pytest.mark.parametrize(("system", "level"), [pair for pair in EVERY if not pair[1].reaches_chain])
def test_check_level__not_proven_on_another_chain__is_refused(
    system: AggregationSystem, level: ProvingLevel, chain_id: int
) -> None:
    with pytest.raises(ProtocolError, match=f"invalid_settings: .*{level} on chain {chain_id}"):
        check_level(system, level, chain_id)


@pytest.mark.parametrize("chain_id", [1, 31_337])
def test_check_level__groth16__is_taken_everywhere(chain_id: int) -> None:
    check_level(SP1, ProvingLevel.GROTH16, chain_id)
    check_level(RISC0, ProvingLevel.GROTH16, chain_id)


def test_check_level__level_of_the_other_system__is_refused() -> None:
    with pytest.raises(ProtocolError, match="has no level"):
        check_level(SP1, ProvingLevel.COMPOSITE, 31_337)
    with pytest.raises(ProtocolError, match="has no level"):
        check_level(RISC0, ProvingLevel.COMPRESSED, 31_337)


def test_open_engine__memory_setting__is_the_limit_of_workers_that_prove(tmp_path: Path) -> None:
    own = ProofAggregatorSettings(result_dir=tmp_path, prover_memory_gib=64)
    commands = open_engine(own, ProvingLevel.GROTH16)._commands
    for system, level in EVERY:
        limit_bytes = commands(system, level).memory_bytes
        assert limit_bytes == 64 * GIB if level.needs_prover else limit_bytes < 8 * GIB


def test_open_engine__memory_not_set__what_a_level_is_known_to_need(tmp_path: Path) -> None:
    commands = open_engine(ProofAggregatorSettings(result_dir=tmp_path), ProvingLevel.GROTH16)._commands
    for system, level in EVERY:
        known_bytes = worker_command(system, level, tmp_path / "log").memory_bytes
        assert commands(system, level).memory_bytes == known_bytes
