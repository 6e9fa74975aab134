-- Beside max_fee_wei: what a form of the request may offer per blob gas.
ALTER TABLE tx_request ADD COLUMN max_blob_fee_wei NUMERIC(78, 0) CHECK (max_blob_fee_wei > 0);
