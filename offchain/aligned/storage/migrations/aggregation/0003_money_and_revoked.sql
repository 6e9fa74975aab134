-- What an aggregation costs (gas, blob gas and proving): an estimate when it begins, with the transaction's fee once that is known.
-- NULL: not known. What its proofs paid stands beside it; the daily budget counts those that cost more than that.
ALTER TABLE aggregations ADD COLUMN cost_wei numeric(78, 0) CHECK (cost_wei >= 0);
ALTER TABLE aggregations ADD COLUMN paid_wei numeric(78, 0) NOT NULL DEFAULT 0 CHECK (paid_wei >= 0);
-- How many times more its last chunk stands in it: the same leaves again make another root, where the first one was revoked.
ALTER TABLE aggregations ADD COLUMN fillers integer NOT NULL DEFAULT 0 CHECK (fillers >= 0);
-- Its root is revoked on chain, for ever, whatever a node says that lags behind.
ALTER TABLE aggregations ADD COLUMN revoked boolean NOT NULL DEFAULT FALSE;
UPDATE aggregations SET revoked = TRUE WHERE state = 'failed' AND EXISTS (
    SELECT FROM proofs WHERE proofs.aggregation_id = aggregations.id AND proofs.reject_code = 'root_revoked');
CREATE INDEX aggregations_revoked ON aggregations (root) WHERE revoked;
CREATE INDEX aggregations_unpaid ON aggregations (created_at) WHERE cost_wei > paid_wei;
