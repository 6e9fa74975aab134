-- Which chain the rows of this database are about: ids do not tell two devnets apart, genesis blocks do.
CREATE TABLE chain_identity (
    chain_id BIGINT PRIMARY KEY,
    genesis_hash BYTEA NOT NULL CHECK (octet_length(genesis_hash) = 32)
);
