-- The batcher's queue and its batches. A row of `submission` exists before its sender hears "accepted".

CREATE TABLE batch (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id BYTEA NOT NULL CHECK (octet_length(batch_id) = 32),
    root BYTEA NOT NULL CHECK (octet_length(root) = 32),
    state TEXT NOT NULL DEFAULT 'building'
        CHECK (state IN ('building', 'uploaded', 'posted', 'verified', 'expired', 'failed')),
    -- Set before the transaction is handed over: from then on only the chain says what became of it.
    sending BOOLEAN NOT NULL DEFAULT FALSE,
    proof_count INTEGER NOT NULL CHECK (proof_count > 0),
    -- A last element of the file that nobody submitted: one of the proofs with another generator, for a new root.
    filler BYTEA,
    size_bytes BIGINT NOT NULL,
    fee_per_proof_wei NUMERIC(78, 0) NOT NULL,
    answer_fee_wei NUMERIC(78, 0) NOT NULL,
    pointer TEXT,
    tx_hash BYTEA,
    task_block BIGINT,
    -- Addresses that were charged, 20 bytes each, one per proof, in the order of the transaction.
    payers BYTEA,
    -- What the contract holds for them until the batch is settled, and their part of the answer fee.
    held_wei NUMERIC(78, 0) NOT NULL DEFAULT 0,
    payers_fee_wei NUMERIC(78, 0) NOT NULL DEFAULT 0,
    settled BOOLEAN NOT NULL DEFAULT FALSE,
    reason TEXT,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    posted_at TIMESTAMPTZ
);
-- A failed attempt may be followed by another with the same leaves; two live ones with one root cannot be.
CREATE UNIQUE INDEX batch_live_id ON batch (batch_id) WHERE state NOT IN ('failed', 'expired');
CREATE INDEX batch_root ON batch (root);
CREATE INDEX batch_open ON batch (number) WHERE state IN ('building', 'uploaded', 'posted');
CREATE INDEX batch_unsettled ON batch (number) WHERE state IN ('verified', 'expired') AND NOT settled;

CREATE TABLE submission (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sender BYTEA NOT NULL CHECK (octet_length(sender) = 20),
    nonce BIGINT NOT NULL CHECK (nonce >= 0),
    leaf BYTEA NOT NULL CHECK (octet_length(leaf) = 32),
    max_fee_wei NUMERIC(78, 0) NOT NULL CHECK (max_fee_wei >= 0),
    proving_system SMALLINT NOT NULL,
    -- Its element of the batch file; dropped once the batch is verified.
    item BYTEA,
    size_bytes BIGINT NOT NULL CHECK (size_bytes > 0),
    deadline_s BIGINT NOT NULL,
    receipt_signature BYTEA NOT NULL CHECK (octet_length(receipt_signature) = 65),
    state TEXT NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'building', 'posted', 'verified', 'failed', 'replaced')),
    reason_code TEXT,
    reason TEXT,
    batch_number BIGINT REFERENCES batch (number),
    batch_index INTEGER,
    path BYTEA,
    accepted_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    CHECK ((state IN ('building', 'posted', 'verified')) <= (batch_number IS NOT NULL AND path IS NOT NULL))
);
-- Proofs do not compress.
ALTER TABLE submission ALTER COLUMN item SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX submission_live_nonce ON submission (sender, nonce)
    WHERE state IN ('queued', 'building', 'posted', 'verified');
CREATE INDEX submission_queued ON submission (sender, nonce) INCLUDE (size_bytes, id) WHERE state = 'queued';
CREATE INDEX submission_leaf ON submission (leaf);
CREATE INDEX submission_batch ON submission (batch_number, batch_index);
