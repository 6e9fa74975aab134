-- A request may be worth only so much: what a form of it offers per gas is bounded by max_fee_wei, and when the chain asks
-- for more for give_up_after_s, it is cancelled. Both are stored, because whoever sends behind it raises its fees too.
ALTER TABLE tx_request
    ADD COLUMN max_fee_wei NUMERIC(78, 0) CHECK (max_fee_wei > 0),
    ADD COLUMN give_up_after_s DOUBLE PRECISION CHECK (give_up_after_s >= 0),
    -- Since when the chain has been asking for more than the request may offer; NULL while it does not.
    ADD COLUMN dear_since TIMESTAMPTZ,
    -- Set together with the first cancel that is signed for this reason, and never taken back.
    ADD COLUMN gave_up BOOLEAN NOT NULL DEFAULT FALSE,
    DROP CONSTRAINT tx_request_state_check,
    ADD CONSTRAINT tx_request_state_check
        CHECK (state IN ('pending', 'mined', 'reverted', 'superseded', 'cancelled')),
    ADD CHECK (state <> 'cancelled' OR gave_up);

-- A cancelled request gives its key away and keeps its nonce, so its forms must follow it.
ALTER TABLE tx_attempt
    DROP CONSTRAINT tx_attempt_chain_id_account_key_fkey,
    ADD CONSTRAINT tx_attempt_chain_id_account_key_fkey
        FOREIGN KEY (chain_id, account, key) REFERENCES tx_request ON UPDATE CASCADE;
