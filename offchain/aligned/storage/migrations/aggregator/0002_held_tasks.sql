-- After a failed answer a task rests for growing pauses, whatever votes come in meanwhile.
ALTER TABLE aggregator_tasks
    ADD COLUMN failures   integer NOT NULL DEFAULT 0,
    ADD COLUMN held_until timestamptz NOT NULL DEFAULT 'epoch';
