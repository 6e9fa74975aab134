-- Transactions of an aggregation that were cancelled because the chain asked for too much: what that cost is part of its cost.
-- The last cancel is named, so that it counts once however often it is told.
ALTER TABLE aggregations ADD COLUMN cancelled_wei numeric(78, 0) NOT NULL DEFAULT 0 CHECK (cancelled_wei >= 0);
ALTER TABLE aggregations ADD COLUMN cancel_tx bytea CHECK (octet_length(cancel_tx) = 32);
-- How many accounts have time left is asked every few seconds: those that ended are never read. Over an expression, so
-- that no statement about one account is served by it, which would read all accounts that have time left.
CREATE INDEX quotas_active ON quotas ((valid_until_s + 0), address) WHERE NOT orphaned;
