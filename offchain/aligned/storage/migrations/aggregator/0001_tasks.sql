-- A task is one NewBatchV3 event. new → open (operator set read) → quorum (waiting for late signers) → responding
-- (calldata fixed, transaction on its way) → answered; or refused (a quorum became impossible), expired. A task whose
-- block left the chain is vanished: its votes stay, and count again only if the very same task comes back.
CREATE TABLE aggregator_tasks (
    batch_id            bytea NOT NULL CHECK (length(batch_id) = 32),
    task_block          bigint NOT NULL,
    task_block_hash     bytea NOT NULL CHECK (length(task_block_hash) = 32),
    batch_root          bytea NOT NULL CHECK (length(batch_root) = 32),
    sender              bytea NOT NULL CHECK (length(sender) = 20),
    state               text NOT NULL DEFAULT 'new'
                        CHECK (state IN ('new', 'open', 'quorum', 'responding', 'answered', 'refused', 'expired',
                                         'vanished')),
    last_response_block bigint,
    snapshot_index      bigint,
    quorum_at           timestamptz,
    respond_round       integer NOT NULL DEFAULT 0,
    respond_calldata    bytea,
    respond_tx_hash     bytea,
    answered_block      bigint,
    last_code           text,
    attempts            integer NOT NULL DEFAULT 0,
    next_attempt_at     timestamptz NOT NULL DEFAULT now(),
    leased_until        timestamptz NOT NULL DEFAULT 'epoch',
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (batch_id, task_block),
    CHECK (snapshot_index IS NOT NULL OR state NOT IN ('open', 'quorum', 'responding', 'refused')),
    CHECK (state <> 'responding' OR respond_calldata IS NOT NULL)
);
CREATE INDEX aggregator_tasks_active ON aggregator_tasks (next_attempt_at)
    WHERE state IN ('new', 'open', 'quorum', 'responding');

-- The operator set at the end of the task's block.
CREATE TABLE aggregator_operators (
    batch_id    bytea NOT NULL,
    task_block  bigint NOT NULL,
    operator_id bytea NOT NULL CHECK (length(operator_id) = 32),
    address     bytea NOT NULL CHECK (length(address) = 20),
    stake       numeric(30) NOT NULL CHECK (stake >= 0),
    stake_index bigint NOT NULL,
    key_g1      bytea NOT NULL CHECK (length(key_g1) = 64),
    key_g2      bytea NOT NULL CHECK (length(key_g2) = 128),
    PRIMARY KEY (batch_id, task_block, operator_id),
    FOREIGN KEY (batch_id, task_block) REFERENCES aggregator_tasks ON DELETE CASCADE
);

-- One checked vote an operator and task: a signature (reason null) or a refusal with its evidence.
CREATE TABLE aggregator_votes (
    batch_id    bytea NOT NULL,
    task_block  bigint NOT NULL,
    operator_id bytea NOT NULL,
    signature   bytea NOT NULL CHECK (length(signature) = 64),
    leaf_index  bigint,
    leaf        bytea CHECK (length(leaf) = 32),
    reason      text,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (batch_id, task_block, operator_id),
    FOREIGN KEY (batch_id, task_block, operator_id) REFERENCES aggregator_operators ON DELETE CASCADE,
    CHECK ((reason IS NULL) = (leaf_index IS NULL) AND (reason IS NULL) = (leaf IS NULL))
);
