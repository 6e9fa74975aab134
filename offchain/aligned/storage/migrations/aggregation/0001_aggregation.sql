-- Aggregation mode: one schema that the payments poller, the gateway and the proof aggregator share.
-- Times that come from the chain or are compared with it are Unix seconds; our own are timestamptz.

-- A payment or a grant, as its event says. One whose block left the chain is orphaned, not deleted: when the same event is
-- mined again it comes back with what was used of it.
CREATE TABLE payments (
    tx_hash      bytea NOT NULL CHECK (octet_length(tx_hash) = 32),
    log_index    integer NOT NULL CHECK (log_index >= 0),
    kind         text NOT NULL CHECK (kind IN ('payment', 'grant')),
    address      bytea NOT NULL CHECK (octet_length(address) = 20),
    payer        bytea CHECK (octet_length(payer) = 20),
    amount_wei   numeric(78, 0) NOT NULL CHECK (amount_wei >= 0),
    block_number bigint NOT NULL CHECK (block_number >= 0),
    block_hash   bytea NOT NULL CHECK (octet_length(block_hash) = 32),
    orphaned     boolean NOT NULL DEFAULT FALSE,
    seen_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tx_hash, log_index),
    CHECK ((kind = 'payment') = (payer IS NOT NULL)),
    CHECK (kind = 'payment' OR amount_wei = 0)
);
CREATE INDEX payments_by_block ON payments (block_number);

-- What a payment bought: proofs within a time. A proof is charged to the row that ends first.
CREATE TABLE quotas (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tx_hash       bytea NOT NULL,
    log_index     integer NOT NULL,
    address       bytea NOT NULL CHECK (octet_length(address) = 20),
    proofs        bigint NOT NULL CHECK (proofs > 0),
    used          bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    valid_from_s  bigint NOT NULL,
    valid_until_s bigint NOT NULL,
    orphaned      boolean NOT NULL DEFAULT FALSE,
    UNIQUE (tx_hash, log_index),
    FOREIGN KEY (tx_hash, log_index) REFERENCES payments,
    CHECK (used <= proofs),
    CHECK (valid_from_s <= valid_until_s)
);
CREATE INDEX quotas_usable ON quotas (address, valid_until_s) WHERE NOT orphaned AND used < proofs;
CREATE INDEX quotas_by_address ON quotas (address, valid_until_s);

-- The lock under which a nonce and a quota are taken together.
CREATE TABLE accounts (
    address    bytea PRIMARY KEY CHECK (octet_length(address) = 20),
    next_nonce bigint NOT NULL DEFAULT 0 CHECK (next_nonce >= 0)
);

-- Fast-mode batches whose proofs are aggregated too (the intake from chain events).
CREATE TABLE intake_batches (
    batch_root   bytea NOT NULL CHECK (octet_length(batch_root) = 32),
    block_number bigint NOT NULL,
    block_hash   bytea NOT NULL CHECK (octet_length(block_hash) = 32),
    pointer      text NOT NULL,
    state        text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'taken', 'failed', 'vanished')),
    proofs       integer,
    last_error   text,
    attempts     integer NOT NULL DEFAULT 0,
    next_try_at  timestamptz NOT NULL DEFAULT now(),
    seen_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (batch_root, block_number)
);
CREATE INDEX intake_batches_open ON intake_batches (next_try_at) WHERE state = 'new';

-- One root on its way to the chain. proving → proved → submitted → mined → final, or failed.
-- In "proving" the chunks are known and the final proof is being made.
CREATE TABLE aggregations (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    system        smallint NOT NULL CHECK (system IN (1, 2)),
    level         text NOT NULL CHECK (level IN ('native', 'execute', 'compressed', 'composite', 'succinct', 'groth16')),
    state         text NOT NULL DEFAULT 'proving'
                  CHECK (state IN ('proving', 'proved', 'submitted', 'mined', 'final', 'failed')),
    root          bytea NOT NULL CHECK (octet_length(root) = 32),
    leaf_count    integer NOT NULL CHECK (leaf_count BETWEEN 1 AND 23808),
    program_id    bytea NOT NULL CHECK (octet_length(program_id) = 32),
    public_values bytea,
    proof         bytea,
    not_proved    text NOT NULL DEFAULT '',
    cycles        bigint,
    tx_hash       bytea CHECK (octet_length(tx_hash) = 32),
    block_number  bigint,
    block_hash    bytea CHECK (octet_length(block_hash) = 32),
    last_error    text,
    attempts      integer NOT NULL DEFAULT 0,
    next_try_at   timestamptz NOT NULL DEFAULT now(),
    leased_until  timestamptz NOT NULL DEFAULT 'epoch',
    lease_token   bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CHECK (state IN ('proving', 'failed') OR (public_values IS NOT NULL AND proof IS NOT NULL)),
    CHECK (state NOT IN ('mined', 'final') OR (tx_hash IS NOT NULL AND block_number IS NOT NULL AND block_hash IS NOT NULL))
);
CREATE UNIQUE INDEX aggregations_root ON aggregations (root) WHERE state <> 'failed';
CREATE INDEX aggregations_open ON aggregations (next_try_at) WHERE state NOT IN ('final', 'failed');
CREATE INDEX aggregations_newest ON aggregations (id DESC) WHERE state IN ('mined', 'final');

-- Proofs that are proved together in one user_proofs proof. proving → proved → joined (an aggregation has it),
-- or split (a poison proof is in it: its proofs go on in smaller chunks).
CREATE TABLE chunks (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregation_id bigint REFERENCES aggregations,
    position       integer CHECK (position >= 0),
    system         smallint NOT NULL CHECK (system IN (1, 2)),
    level          text NOT NULL,
    state          text NOT NULL DEFAULT 'proving' CHECK (state IN ('proving', 'proved', 'joined', 'split')),
    root           bytea NOT NULL CHECK (octet_length(root) = 32),
    leaf_count     integer NOT NULL CHECK (leaf_count > 0),
    result         text, -- where the prover left its result
    last_error     text,
    attempts       integer NOT NULL DEFAULT 0,
    next_try_at    timestamptz NOT NULL DEFAULT now(),
    leased_until   timestamptz NOT NULL DEFAULT 'epoch',
    lease_token    bigint NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (aggregation_id, position),
    CHECK ((aggregation_id IS NULL) = (position IS NULL)),
    CHECK ((state = 'joined') = (aggregation_id IS NOT NULL)),
    CHECK (state NOT IN ('proved', 'joined') OR result IS NOT NULL)
);
CREATE INDEX chunks_open ON chunks (next_try_at) WHERE state = 'proving';
CREATE INDEX chunks_ready ON chunks (system, id) WHERE state = 'proved';

-- The blobs of an aggregation, with what opens them on chain.
CREATE TABLE blobs (
    aggregation_id bigint NOT NULL REFERENCES aggregations ON DELETE CASCADE,
    position       integer NOT NULL CHECK (position BETWEEN 0 AND 5),
    versioned_hash bytea NOT NULL CHECK (octet_length(versioned_hash) = 32),
    kzg_commitment bytea NOT NULL CHECK (octet_length(kzg_commitment) = 48),
    opening_proof  bytea CHECK (octet_length(opening_proof) = 48),
    PRIMARY KEY (aggregation_id, position)
);
CREATE INDEX blobs_by_hash ON blobs (versioned_hash);

-- The queue. verifying → pending → proving → submitted → mined → final; or rejected; unpaid while the payment is off the chain.
CREATE TABLE proofs (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    number            bigint GENERATED ALWAYS AS IDENTITY UNIQUE, -- order of arrival, for paging and first in, first out
    source            text NOT NULL CHECK (source IN ('gateway', 'batch')),
    address           bytea CHECK (octet_length(address) = 20),
    nonce             bigint CHECK (nonce >= 0),
    quota_id          bigint REFERENCES quotas,
    batch_root        bytea CHECK (octet_length(batch_root) = 32),
    batch_index       integer CHECK (batch_index >= 0),
    system            smallint NOT NULL CHECK (system IN (1, 2)),
    program_id        bytea NOT NULL CHECK (octet_length(program_id) = 32),
    commitment        bytea NOT NULL CHECK (octet_length(commitment) = 32),
    leaf              bytea NOT NULL CHECK (octet_length(leaf) = 32),
    proof_hash        bytea NOT NULL CHECK (octet_length(proof_hash) = 32),
    key_hash          bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    public_input_hash bytea NOT NULL CHECK (octet_length(public_input_hash) = 32),
    proof_object      text NOT NULL,
    program_key       bytea NOT NULL,
    public_inputs     bytea NOT NULL,
    size_bytes        bigint NOT NULL CHECK (size_bytes > 0),
    signature         bytea CHECK (octet_length(signature) = 65),
    deadline_s        bigint,
    state             text NOT NULL DEFAULT 'verifying'
                      CHECK (state IN ('verifying', 'pending', 'unpaid', 'proving', 'submitted', 'mined', 'final', 'rejected')),
    reject_code       text,
    reject_reason     text,
    chunk_id          bigint REFERENCES chunks,
    chunk_position    integer,
    aggregation_id    bigint REFERENCES aggregations,
    leaf_index        integer CHECK (leaf_index >= 0),
    path              bytea CHECK (octet_length(path) % 32 = 0),
    leased_until      timestamptz NOT NULL DEFAULT 'epoch',
    attempts          integer NOT NULL DEFAULT 0,
    received_at       timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (address, nonce),
    UNIQUE (batch_root, batch_index),
    UNIQUE (chunk_id, chunk_position),
    UNIQUE (aggregation_id, leaf_index),
    CHECK (source <> 'gateway' OR (address IS NOT NULL AND nonce IS NOT NULL AND quota_id IS NOT NULL
                                   AND signature IS NOT NULL AND deadline_s IS NOT NULL AND batch_root IS NULL)),
    CHECK (source <> 'batch' OR (batch_root IS NOT NULL AND batch_index IS NOT NULL AND address IS NULL)),
    CHECK ((state = 'rejected') = (reject_code IS NOT NULL)),
    CHECK (state NOT IN ('submitted', 'mined', 'final')
           OR (aggregation_id IS NOT NULL AND leaf_index IS NOT NULL AND path IS NOT NULL)),
    CHECK ((chunk_id IS NULL) = (chunk_position IS NULL))
);
-- The same proof of the same sender is one row, unless it was rejected.
CREATE UNIQUE INDEX proofs_same ON proofs (address, system, proof_hash, key_hash, public_input_hash)
    WHERE source = 'gateway' AND state <> 'rejected';
CREATE INDEX proofs_queue ON proofs (system, number) WHERE state = 'pending';
CREATE INDEX proofs_verifying ON proofs (leased_until) WHERE state = 'verifying';
CREATE INDEX proofs_by_address ON proofs (address, number DESC);
CREATE INDEX proofs_by_quota ON proofs (quota_id) WHERE state IN ('verifying', 'pending', 'unpaid');
CREATE INDEX proofs_by_leaf ON proofs (leaf);

-- What happened to a proof, and when.
CREATE TABLE proof_history (
    proof_id uuid NOT NULL REFERENCES proofs ON DELETE CASCADE,
    number   bigint GENERATED ALWAYS AS IDENTITY,
    state    text NOT NULL,
    detail   text NOT NULL DEFAULT '',
    at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (proof_id, number)
);

CREATE TABLE aggregation_history (
    aggregation_id bigint NOT NULL REFERENCES aggregations ON DELETE CASCADE,
    number         bigint GENERATED ALWAYS AS IDENTITY,
    state          text NOT NULL,
    detail         text NOT NULL DEFAULT '',
    at             timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (aggregation_id, number)
);

-- Every change of a state leaves its line and wakes whoever waits, whoever made it.
CREATE FUNCTION note_proof_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.state IS DISTINCT FROM OLD.state THEN
        INSERT INTO proof_history (proof_id, state, detail) VALUES (NEW.id, NEW.state, coalesce(NEW.reject_reason, ''));
        PERFORM pg_notify('proof_state', NEW.id::text);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER proofs_state AFTER INSERT OR UPDATE ON proofs FOR EACH ROW EXECUTE FUNCTION note_proof_state();

CREATE FUNCTION note_aggregation_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.state IS DISTINCT FROM OLD.state THEN
        INSERT INTO aggregation_history (aggregation_id, state, detail)
            VALUES (NEW.id, NEW.state, coalesce(NEW.last_error, ''));
        PERFORM pg_notify('aggregation_state', NEW.id::text);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER aggregations_state AFTER INSERT OR UPDATE ON aggregations
    FOR EACH ROW EXECUTE FUNCTION note_aggregation_state();
