"""What may be deleted from each role's tables, and when. The runbook names those without a rule, and why.

In a condition `t` is a row of the table, and `%(days)s` its least age. A row goes only when everything that may still
ask for it is over; what must never be forgotten (nonces, roots that the chain has, money) has no rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, LiteralString


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows that are of no use any more.

    Attributes:
        name: for reports: the table, and what of it.
        setting: field of RetentionSettings with the age in days.
        rows: condition on `t`.
        first: a CTE over `doomed` (the rows, all columns) that deletes what points to them; ends in a comma.
        change: instead of deleting: what is set.
    """

    name: str
    table: LiteralString
    setting: str
    rows: LiteralString
    first: LiteralString = ""
    change: LiteralString | None = None


_UPDATED: LiteralString = "t.updated_at < now() - make_interval(secs => 86400 * %(days)s)"
_CREATED: LiteralString = "t.created_at < now() - make_interval(secs => 86400 * %(days)s)"
_ACCEPTED: LiteralString = "t.accepted_at < now() - make_interval(secs => 86400 * %(days)s)"
_AT: LiteralString = "t.at < now() - make_interval(secs => 86400 * %(days)s)"
_SEEN: LiteralString = "t.seen_at < now() - make_interval(secs => 86400 * %(days)s)"

# A nonce is never given to two transactions: the latest of each account stay whatever their age.
_TRANSACTIONS: Final = Rule(
    name="tx_request, tx_attempt",
    table="tx_request",
    setting="transactions_days",
    rows="t.state <> 'pending' AND "
    + _UPDATED
    + """
        AND (t.nonce IS NULL OR t.nonce < (
            SELECT max(newest.nonce) - 256 FROM tx_request newest
            WHERE newest.chain_id = t.chain_id AND newest.account = t.account))""",
    first="""gone AS (DELETE FROM tx_attempt a USING doomed d
        WHERE a.chain_id = d.chain_id AND a.account = d.account AND a.key = d.key),""",
)

# The highest live nonce of a sender says what its next one is.
_BATCHER: Final = (
    Rule(
        name="submission",
        table="submission",
        setting="submissions_days",
        rows=_ACCEPTED
        + """
            AND t.state IN ('verified', 'failed', 'replaced')
            AND NOT EXISTS (SELECT 1 FROM batch b WHERE b.number = t.batch_number
                            AND NOT (b.final AND (b.settled OR b.state = 'failed')))
            AND NOT EXISTS (SELECT 1 FROM batch b WHERE NOT b.final AND t.id = ANY(b.member_ids))
            AND (t.state <> 'verified' OR EXISTS (
                SELECT 1 FROM submission later WHERE later.sender = t.sender AND later.nonce > t.nonce
                AND later.state IN ('queued', 'building', 'posted', 'verified')))""",
    ),
    Rule(
        name="batch (failed)",
        table="batch",
        setting="batches_days",
        rows=_CREATED
        + """
            AND t.state = 'failed' AND t.final
            AND NOT EXISTS (SELECT 1 FROM submission s WHERE s.batch_number = t.number)""",
    ),
    # The rest of the row stays: the chain never takes a root of ours twice, so we must know it.
    Rule(
        name="batch (payers)",
        table="batch",
        setting="batches_days",
        rows=_CREATED
        + " AND t.state IN ('verified', 'expired') AND t.final AND t.settled AND t.payers IS NOT NULL",
        change="payers = NULL",
    ),
)

# Votes go with their tasks. A task that is this old is in no block that a reorganisation may bring back.
_OPERATOR: Final = (
    Rule(
        name="operator_tasks, operator_reports",
        table="operator_tasks",
        setting="operator_tasks_days",
        rows="t.state IN ('reported', 'skipped') AND " + _UPDATED,
    ),
)
_AGGREGATOR: Final = (
    Rule(
        name="aggregator_tasks, aggregator_operators, aggregator_votes",
        table="aggregator_tasks",
        setting="aggregator_tasks_days",
        rows="t.state IN ('answered', 'refused', 'expired', 'vanished') AND " + _UPDATED,
    ),
)

_OF_FINAL: LiteralString = """EXISTS (SELECT 1 FROM aggregations a WHERE a.id = t.aggregation_id AND a.state = 'final'
    AND a.updated_at < now() - make_interval(secs => 86400 * %(days)s))"""
# The budget looks back over a day, or over all of the time that the oldest proof short of the chain has waited.
_OUT_OF_THE_BUDGET: LiteralString = """t.created_at < least(
    now() - interval '1 day',
    (SELECT min(p.received_at) FROM proofs p WHERE p.state IN ('verifying', 'pending', 'unpaid')),
    (SELECT min(p.received_at) FROM chunks c JOIN proofs p ON p.chunk_id = c.id WHERE c.state IN ('proving', 'proved')),
    (SELECT min(p.received_at) FROM aggregations a JOIN proofs p ON p.aggregation_id = a.id
     WHERE a.state IN ('proving', 'proved', 'submitted')))"""
_AGGREGATION: Final = (
    Rule(
        name="proofs (rejected)",
        table="proofs",
        setting="rejected_proofs_days",
        rows="t.state = 'rejected' AND " + _UPDATED,
    ),
    Rule(
        name="proof_history",
        table="proof_history",
        setting="history_days",
        rows=_AT
        + """ AND EXISTS (
            SELECT 1 FROM proofs p WHERE p.id = t.proof_id AND p.state IN ('final', 'rejected'))""",
    ),
    Rule(
        name="aggregation_history",
        table="aggregation_history",
        setting="history_days",
        rows=_AT
        + """ AND EXISTS (
            SELECT 1 FROM aggregations a WHERE a.id = t.aggregation_id AND a.state IN ('final', 'failed'))""",
    ),
    Rule(
        name="intake_batches",
        table="intake_batches",
        setting="intake_days",
        rows="t.state IN ('taken', 'failed') AND " + _SEEN,
    ),
    Rule(
        name="chunks (split)",
        table="chunks",
        setting="failed_aggregations_days",
        rows="t.state = 'split' AND "
        + _UPDATED
        + " AND NOT EXISTS (SELECT 1 FROM proofs p WHERE p.chunk_id = t.id)",
    ),
    Rule(
        name="aggregations (failed)",
        table="aggregations",
        setting="failed_aggregations_days",
        # A root that was once seen to be revoked is never forgotten, whatever a node says that lags behind.
        rows="t.state = 'failed' AND NOT t.revoked AND "
        + _UPDATED
        + " AND "
        + _OUT_OF_THE_BUDGET
        + """
            AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.aggregation_id = t.id)
            AND NOT EXISTS (SELECT 1 FROM proofs p WHERE p.aggregation_id = t.id)""",
    ),
    Rule(
        name="proofs (final)",
        table="proofs",
        setting="final_aggregations_days",
        rows="t.state = 'final' AND " + _OF_FINAL,
    ),
    Rule(
        name="chunks (final)",
        table="chunks",
        setting="final_aggregations_days",
        # Its files are removed first: an empty result says that they are.
        rows="t.state = 'joined' AND t.result = '' AND "
        + _OF_FINAL
        + """
            AND NOT EXISTS (SELECT 1 FROM proofs p WHERE p.chunk_id = t.id)""",
    ),
    Rule(
        name="aggregations (final), blobs",
        table="aggregations",
        setting="final_aggregations_days",
        rows="t.state = 'final' AND "
        + _UPDATED
        + " AND "
        + _OUT_OF_THE_BUDGET
        + """
            AND NOT EXISTS (SELECT 1 FROM chunks c WHERE c.aggregation_id = t.id)
            AND NOT EXISTS (SELECT 1 FROM proofs p WHERE p.aggregation_id = t.id)""",
    ),
)

RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "batcher": (*_BATCHER, _TRANSACTIONS),
    "operator": (*_OPERATOR, _TRANSACTIONS),
    "aggregator": (*_AGGREGATOR, _TRANSACTIONS),
    "aggregation": (*_AGGREGATION, _TRANSACTIONS),
}
