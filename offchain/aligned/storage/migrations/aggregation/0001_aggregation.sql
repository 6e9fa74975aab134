-- Aggregation mode: one schema that the payments poller, the gateway and the proof aggregator share.
-- Times that come from the chain or are compared with it are Unix seconds; our own are timestamptz.

-- A payment or a grant, as its event says. One whose block left the chain is orphaned (its quota says so), not deleted: when
-- the same event is mined again it comes back with what was used of it. A log index counts within a block and changes when a
-- transaction is mined in another one; so an event is known by its number among the transaction's events of this contract.
CREATE TABLE payments (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tx_hash      bytea NOT NULL CHECK (octet_length(tx_hash) = 32),
    event_index  integer NOT NULL CHECK (event_index >= 0),
    log_index    integer NOT NULL CHECK (log_index >= event_index),
    kind         text NOT NULL CHECK (kind IN ('payment', 'grant')),
    address      bytea NOT NULL CHECK (octet_length(address) = 20),
    payer        bytea CHECK (octet_length(payer) = 20),
    amount_wei   numeric(78, 0) NOT NULL CHECK (amount_wei >= 0),
    block_number bigint NOT NULL CHECK (block_number >= 0),
    block_hash   bytea NOT NULL CHECK (octet_length(block_hash) = 32),
    seen_at      timestamptz NOT NULL DEFAULT now(),
    -- The address is part of the key: a transaction that is executed again may serve another account, and what the first one
    -- used must not be charged to the second.
    UNIQUE (tx_hash, event_index, address),
    CHECK ((kind = 'payment') = (payer IS NOT NULL)),
    CHECK (kind = 'payment' OR amount_wei = 0)
);
CREATE INDEX payments_by_block ON payments (block_number);

-- What a payment bought: proofs within a time. A proof is charged to the row that ends first.
CREATE TABLE quotas (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id    bigint NOT NULL UNIQUE REFERENCES payments,
    address       bytea NOT NULL CHECK (octet_length(address) = 20),
    proofs        bigint NOT NULL CHECK (proofs > 0),
    used          bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    valid_from_s  bigint NOT NULL CHECK (valid_from_s >= 0),
    valid_until_s bigint NOT NULL,
    orphaned      boolean NOT NULL DEFAULT FALSE,
    CHECK (used <= proofs),
    CHECK (valid_from_s <= valid_until_s)
);
-- No index speaks of "used": it changes with every proof, and such an update then writes no index.
CREATE INDEX quotas_by_address ON quotas (address, valid_until_s);

-- The lock under which a nonce and a quota are taken together.
CREATE TABLE accounts (
    address    bytea PRIMARY KEY CHECK (octet_length(address) = 20),
    next_nonce bigint NOT NULL DEFAULT 0 CHECK (next_nonce >= 0)
);

-- Fast-mode batches whose proofs are aggregated too (the intake from chain events). A stranger may announce the same root
-- with another pointer: the sender is part of the key.
CREATE TABLE intake_batches (
    batch_root   bytea NOT NULL CHECK (octet_length(batch_root) = 32),
    sender       bytea NOT NULL CHECK (octet_length(sender) = 20),
    block_number bigint NOT NULL CHECK (block_number >= 0),
    block_hash   bytea NOT NULL CHECK (octet_length(block_hash) = 32),
    pointer      text NOT NULL,
    state        text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'taken', 'failed')),
    proofs       integer CHECK (proofs >= 0), -- how many were taken over
    last_error   text,
    attempts     integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_try_at  timestamptz NOT NULL DEFAULT now(), -- also the lease of a worker
    seen_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (batch_root, sender, block_number),
    CHECK ((state = 'taken') = (proofs IS NOT NULL)),
    CHECK (state <> 'failed' OR last_error IS NOT NULL)
);
CREATE INDEX intake_batches_open ON intake_batches (next_try_at) WHERE state = 'new';
CREATE INDEX intake_batches_by_block ON intake_batches (block_number);

-- One root on its way to the chain. proving → proved → submitted → mined → final, or failed.
-- In "proving" the chunks are known and the final proof is being made.
CREATE TABLE aggregations (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    system        smallint NOT NULL CHECK (system IN (1, 2)),
    level         text NOT NULL CHECK (level IN ('native', 'execute', 'compressed', 'composite', 'succinct', 'groth16', 'network')),
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
    attempts      integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_try_at   timestamptz NOT NULL DEFAULT now(),
    leased_until  timestamptz NOT NULL DEFAULT 'epoch',
    lease_token   bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CHECK (state IN ('proving', 'failed') OR (public_values IS NOT NULL AND proof IS NOT NULL)),
    CHECK (state NOT IN ('mined', 'final') OR (tx_hash IS NOT NULL AND block_number IS NOT NULL AND block_hash IS NOT NULL))
);
CREATE UNIQUE INDEX aggregations_root ON aggregations (root) WHERE state <> 'failed';
CREATE INDEX aggregations_by_state ON aggregations (state, id);

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
    attempts       integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    next_try_at    timestamptz NOT NULL DEFAULT now(),
    leased_until   timestamptz NOT NULL DEFAULT 'epoch',
    lease_token    bigint NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    -- The very same commitments as an aggregation that is there already, which chain and index above have once: the chunk
    -- points to it, and its proofs have the paths of the first ones.
    repeated       boolean NOT NULL DEFAULT FALSE,
    CHECK ((aggregation_id IS NULL) = (position IS NULL)),
    CHECK (NOT repeated OR state = 'joined'),
    CHECK ((state = 'joined') = (aggregation_id IS NOT NULL)),
    CHECK (state NOT IN ('proved', 'joined') OR result IS NOT NULL)
);
CREATE UNIQUE INDEX chunks_of_aggregation ON chunks (aggregation_id, position) WHERE NOT repeated;
CREATE INDEX chunks_waiting ON chunks (system, id) WHERE state IN ('proving', 'proved');
CREATE INDEX chunks_to_clean ON chunks (aggregation_id) WHERE state = 'joined' AND result <> '';

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
    chunk_position    integer CHECK (chunk_position >= 0),
    aggregation_id    bigint REFERENCES aggregations,
    leaf_index        integer CHECK (leaf_index BETWEEN 0 AND 23807),
    path              bytea CHECK (octet_length(path) % 32 = 0),
    leased_until      timestamptz NOT NULL DEFAULT 'epoch',
    attempts          integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    received_at       timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (address, nonce),
    UNIQUE (batch_root, batch_index),
    UNIQUE (chunk_id, chunk_position),
    CHECK (source <> 'gateway' OR (address IS NOT NULL AND nonce IS NOT NULL AND quota_id IS NOT NULL
                                   AND signature IS NOT NULL AND deadline_s IS NOT NULL
                                   AND batch_root IS NULL AND batch_index IS NULL)),
    CHECK (source <> 'batch' OR (batch_root IS NOT NULL AND batch_index IS NOT NULL AND address IS NULL
                                 AND nonce IS NULL AND quota_id IS NULL AND signature IS NULL)),
    CHECK ((state = 'rejected') = (reject_code IS NOT NULL)),
    CHECK (state NOT IN ('submitted', 'mined', 'final')
           OR (aggregation_id IS NOT NULL AND leaf_index IS NOT NULL AND path IS NOT NULL)),
    CHECK ((chunk_id IS NULL) = (chunk_position IS NULL)),
    -- What waits is in no chunk, so that it is never taken twice; what is being proved is in one.
    CHECK (state NOT IN ('verifying', 'pending', 'unpaid') OR chunk_id IS NULL),
    CHECK (state <> 'proving' OR chunk_id IS NOT NULL)
);
-- The same proof of the same sender is one row, unless it was rejected.
CREATE UNIQUE INDEX proofs_same ON proofs (address, system, proof_hash, key_hash, public_input_hash)
    WHERE source = 'gateway' AND state <> 'rejected';
CREATE INDEX proofs_queue ON proofs (system, number) WHERE state = 'pending';
CREATE INDEX proofs_verifying ON proofs (leased_until) WHERE state = 'verifying';
CREATE INDEX proofs_by_address ON proofs (address, number DESC);
CREATE INDEX proofs_by_quota ON proofs (quota_id) WHERE state IN ('verifying', 'pending', 'unpaid');
-- Not unique: see chunks.repeated.
CREATE INDEX proofs_by_aggregation ON proofs (aggregation_id, leaf_index);
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

-- A proof whose payment left the chain never waits for a prover, whoever puts it there. The lock makes us wait for a payments
-- poller that is just orphaning the payment, and it for us.
CREATE FUNCTION hold_unpaid_proof() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT orphaned FROM quotas WHERE id = NEW.quota_id FOR SHARE) THEN
        NEW.state := 'unpaid';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER proofs_paid BEFORE INSERT OR UPDATE OF state ON proofs FOR EACH ROW
    WHEN (NEW.state = 'pending' AND NEW.quota_id IS NOT NULL) EXECUTE FUNCTION hold_unpaid_proof();

-- Every change of a state leaves its line and wakes whoever waits, whoever made it.
CREATE FUNCTION note_proof_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.state IS DISTINCT FROM OLD.state THEN
        INSERT INTO proof_history (proof_id, state, detail) VALUES (NEW.id, NEW.state, coalesce(NEW.reject_reason, ''));
        PERFORM pg_notify('proof_state', NEW.id::text);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER proofs_state AFTER INSERT OR UPDATE OF state ON proofs FOR EACH ROW EXECUTE FUNCTION note_proof_state();

CREATE FUNCTION note_aggregation_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.state IS DISTINCT FROM OLD.state THEN
        INSERT INTO aggregation_history (aggregation_id, state, detail)
            VALUES (NEW.id, NEW.state, coalesce(NEW.last_error, ''));
        PERFORM pg_notify('aggregation_state', NEW.id::text);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER aggregations_state AFTER INSERT OR UPDATE OF state ON aggregations
    FOR EACH ROW EXECUTE FUNCTION note_aggregation_state();
