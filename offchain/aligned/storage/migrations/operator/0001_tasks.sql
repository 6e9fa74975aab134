-- One database belongs to one operator: two of them would share votes.
CREATE TABLE operator_identity (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    operator_id bytea NOT NULL CHECK (length(operator_id) = 32)
);

-- A task is one NewBatchV3 event. seen → signed | refused | skipped | failed (retried); signed, refused → reported.
-- The signature is written once, before it leaves the process, and never changed: at most one vote a task.
CREATE TABLE operator_tasks (
    batch_id        bytea NOT NULL CHECK (length(batch_id) = 32),
    task_block      bigint NOT NULL,
    batch_root      bytea NOT NULL CHECK (length(batch_root) = 32),
    sender          bytea NOT NULL CHECK (length(sender) = 20),
    pointer         text NOT NULL,
    state           text NOT NULL DEFAULT 'seen'
                    CHECK (state IN ('seen', 'failed', 'signed', 'refused', 'reported', 'skipped')),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    leased_until    timestamptz NOT NULL DEFAULT 'epoch',
    last_code       text,
    proofs          integer,
    signature       bytea CHECK (length(signature) = 64),
    leaf_index      bigint,
    leaf            bytea CHECK (length(leaf) = 32),
    reason          text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (batch_id, task_block),
    CHECK (signature IS NOT NULL OR state IN ('seen', 'failed', 'skipped')),
    CHECK ((reason IS NULL) = (leaf_index IS NULL) AND (reason IS NULL) = (leaf IS NULL))
);
CREATE INDEX operator_tasks_due ON operator_tasks (next_attempt_at) WHERE state IN ('seen', 'failed');

-- One row for each aggregator that must hear of a vote.
CREATE TABLE operator_reports (
    batch_id        bytea NOT NULL,
    task_block      bigint NOT NULL,
    aggregator_url  text NOT NULL,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'accepted', 'rejected', 'expired')),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    last_code       text,
    PRIMARY KEY (batch_id, task_block, aggregator_url),
    FOREIGN KEY (batch_id, task_block) REFERENCES operator_tasks ON DELETE CASCADE
);
CREATE INDEX operator_reports_due ON operator_reports (next_attempt_at) WHERE state = 'pending';
