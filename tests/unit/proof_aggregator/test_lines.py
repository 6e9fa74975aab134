"""Levels that prove nothing stay on the devnet."""

from __future__ import annotations

import pytest

from aligned.core.aggregation import AggregationSystem
from aligned.core.errors import ProtocolError
from aligned.proof_aggregator.lines import check_level
from aligned.provers.levels import LEVELS, ProvingLevel

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
