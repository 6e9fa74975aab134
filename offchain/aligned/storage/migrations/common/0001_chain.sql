-- Transactions that this system wants on chain. A row is written together with its first signed attempt, before anything
-- is broadcast; so after a crash the same bytes are sent again, and the chain counts them once.
CREATE TABLE tx_request (
    chain_id BIGINT NOT NULL,
    account BYTEA NOT NULL CHECK (octet_length(account) = 20),
    key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    -- NULL once the nonce was lost to a transaction that is not ours, or when none was ever needed.
    nonce BIGINT CHECK (nonce >= 0),
    to_address BYTEA NOT NULL CHECK (octet_length(to_address) = 20),
    data BYTEA NOT NULL,
    value_wei NUMERIC(78, 0) NOT NULL CHECK (value_wei >= 0),
    gas_limit BIGINT NOT NULL CHECK (gas_limit >= 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'mined', 'reverted', 'superseded')),
    receipt JSONB,
    error TEXT,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (chain_id, account, key),
    UNIQUE (chain_id, account, nonce),
    CHECK (state <> 'mined' OR receipt IS NOT NULL)
);

-- Every signed form of a request, oldest first. A cancel is an empty transfer to ourselves at the same nonce.
CREATE TABLE tx_attempt (
    tx_hash BYTEA PRIMARY KEY CHECK (octet_length(tx_hash) = 32),
    chain_id BIGINT NOT NULL,
    account BYTEA NOT NULL,
    key TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    nonce BIGINT NOT NULL,
    is_cancel BOOLEAN NOT NULL,
    raw BYTEA NOT NULL,
    max_fee_wei NUMERIC(78, 0) NOT NULL,
    priority_fee_wei NUMERIC(78, 0) NOT NULL,
    signed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    FOREIGN KEY (chain_id, account, key) REFERENCES tx_request,
    UNIQUE (chain_id, account, key, number)
);

-- How far each reader of events has come.
CREATE TABLE chain_cursor (
    name TEXT PRIMARY KEY,
    chain_id BIGINT NOT NULL,
    next_block BIGINT NOT NULL CHECK (next_block >= 0),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

-- Hashes of blocks it has passed, to notice a reorganisation.
CREATE TABLE chain_cursor_block (
    name TEXT NOT NULL REFERENCES chain_cursor ON DELETE CASCADE,
    number BIGINT NOT NULL,
    hash BYTEA NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (name, number)
);
