-- The journal of one cluster (engine/journal.h). Records are never changed or deleted: later
-- migrations add tables and columns and leave these rows byte for byte as they are.

CREATE TABLE schema_version (
    version INTEGER PRIMARY KEY,
    applied_wall_ms INTEGER NOT NULL
) STRICT;

-- Texts under their SHA-256: plans, captured values, bodies too large for a record.
CREATE TABLE blob (
    digest TEXT PRIMARY KEY,
    content BLOB NOT NULL
) STRICT;

-- `record_count` and `head` (the last record's hash) show that records are missing at the end,
-- which the chain alone cannot.
CREATE TABLE run (
    id TEXT PRIMARY KEY,
    cluster TEXT NOT NULL,
    number INTEGER NOT NULL,
    created_wall_ms INTEGER NOT NULL,
    title TEXT NOT NULL,
    state TEXT NOT NULL,
    is_final INTEGER NOT NULL,
    record_count INTEGER NOT NULL,
    head TEXT NOT NULL,
    UNIQUE (cluster, number)
) STRICT;

-- Exactly one of `body` and `body_blob` is set.
CREATE TABLE record (
    run TEXT NOT NULL REFERENCES run (id),
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    def INTEGER NOT NULL,
    type TEXT NOT NULL,
    step TEXT,
    attempt INTEGER NOT NULL,
    boot_id TEXT,
    boottime_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    body TEXT,
    body_blob TEXT REFERENCES blob (digest),
    hash TEXT NOT NULL,
    PRIMARY KEY (run, seq),
    CHECK ((body IS NULL) <> (body_blob IS NULL))
) STRICT, WITHOUT ROWID;
