"""Whether the operators that run can reach the quorum: on a devnet all of them have the same stake."""

from __future__ import annotations


def quorum_problem(registered: int, running: int, min_signers: int, threshold_bps: int) -> str | None:
    """Why no batch can be verified with these operators, None if it can.

    Args:
        min_signers, threshold_bps: of the service manager.
    """
    if running < min_signers:
        return f"{running} of {registered} operators run, the contract wants {min_signers} signers"
    if running * 10_000 < threshold_bps * registered:
        share, wanted = 100 * running / registered, threshold_bps / 100
        return f"{running} of {registered} operators run, {share:.1f} % of the stake; the quorum is {wanted:.1f} %"
    return None
