-- No statement asks for a proof by its leaf or for a blob by its hash; both indexes cost every row that is written.
DROP INDEX proofs_by_leaf;
DROP INDEX blobs_by_hash;
