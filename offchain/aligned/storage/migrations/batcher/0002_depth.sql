-- A batch is followed until what the chain says of it lies so deep that no reorganisation takes it away. Until then the
-- bytes of its proofs are kept, as it may have to be posted again or taken apart.
ALTER TABLE batch
    ADD COLUMN final BOOLEAN NOT NULL DEFAULT FALSE,
    -- Head when it was taken apart after its transaction had been handed over: a reorganisation may bring that back.
    ADD COLUMN dissolved_block BIGINT,
    -- Head when its money was first seen returned; it counts once it is deep.
    ADD COLUMN settle_block BIGINT,
    -- What was in it when it was taken apart so: ids and paths of its members in the order of their leaves.
    ADD COLUMN member_ids BIGINT[],
    ADD COLUMN member_paths BYTEA[];

-- Whatever ended before these columns has lost its bytes already.
UPDATE batch SET final = TRUE WHERE state IN ('verified', 'expired', 'failed');
-- Nothing was handed over for these, so nothing can come back.
ALTER TABLE batch ADD CHECK (state <> 'failed' OR final OR dissolved_block IS NOT NULL);

DROP INDEX batch_unsettled;
CREATE INDEX batch_unsettled ON batch (number) WHERE final AND state IN ('verified', 'expired') AND NOT settled;
CREATE INDEX batch_followed ON batch (number)
    WHERE NOT final AND state IN ('posted', 'verified', 'expired', 'failed');
