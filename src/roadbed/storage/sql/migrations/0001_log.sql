-- The log: one row per committed write, in the order of its revision.
-- There is no index by key on purpose: current values live in memory, and an index on keys would dirty
-- about one page per write, where an append dirties one page per several writes.
CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    is_delete INTEGER NOT NULL,
    previous INTEGER, -- the revision that this write replaced or removed; NULL for a creation
    checksum INTEGER NOT NULL -- CRC-32 of key and value: SQLite checks its pages' structure, not their content
);

-- One row. History up to and including `compacted` is forgotten; the rows up to `swept` are gone already.
-- `compacted` also keeps revisions from repeating when the newest row was a deletion that was swept.
CREATE TABLE compaction (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    compacted INTEGER NOT NULL,
    swept INTEGER NOT NULL
);

INSERT INTO compaction (one, compacted, swept) VALUES (1, 0, 0);
