-- Transactions with blobs (EIP-4844). The blobs are kept until the transaction is final, because every raise of the fees
-- signs them anew; the hashes stay, because they say what was asked for.
ALTER TABLE tx_request
    ADD COLUMN blobs BYTEA NOT NULL DEFAULT '' CHECK (octet_length(blobs) % 131072 = 0 AND octet_length(blobs) <= 786432),
    ADD COLUMN blob_hashes BYTEA NOT NULL DEFAULT '' CHECK (octet_length(blob_hashes) % 32 = 0),
    ADD CHECK (octet_length(blobs) = 0 OR octet_length(blobs) / 131072 = octet_length(blob_hashes) / 32);
ALTER TABLE tx_attempt ADD COLUMN blob_fee_wei NUMERIC(78, 0) NOT NULL DEFAULT 0 CHECK (blob_fee_wei >= 0);
