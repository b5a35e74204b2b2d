-- name: append
-- Adds writes to the log. The caller repeats the row of placeholders, so that a batch is one statement:
-- one atomic step, one release of the interpreter lock (see Database.append).
INSERT INTO log (revision, key, value, is_delete, previous, checksum) VALUES (?, ?, ?, ?, ?, ?);

-- name: whole_log
-- Everything, oldest first: what recovery needs to build current values and recent events in one scan.
SELECT revision, key, value, is_delete, previous, checksum FROM log ORDER BY revision;

-- name: events
-- One page of history after :after up to :upto, with what each write replaced, for keys in
-- [:first, :beyond); an empty :beyond has no end.
SELECT l.revision, l.key, l.value, l.is_delete, p.revision, p.value
FROM log AS l LEFT JOIN log AS p ON p.revision = l.previous
WHERE l.revision > :after AND l.revision <= :upto
    AND l.key >= :first AND (:beyond = '' OR l.key < :beyond)
ORDER BY l.revision
LIMIT :page;

-- name: compaction
-- How far history is forgotten, and how far the forgotten rows are gone.
SELECT compacted, swept FROM compaction;

-- name: sweep_replaced
-- Drops what the writes in (:swept, :upto] replaced; all of them are forgotten history.
DELETE FROM log WHERE revision IN (
    SELECT previous FROM log WHERE revision > :swept AND revision <= :upto AND previous IS NOT NULL
);

-- name: sweep_deletions
-- Drops the deletions in (:swept, :upto]; run it after sweep_replaced, which reads them.
DELETE FROM log WHERE revision > :swept AND revision <= :upto AND is_delete;

-- name: set_compaction
-- Remembers the progress of a compaction, in the same transaction as its deletes.
UPDATE compaction SET compacted = MAX(compacted, :compacted), swept = :upto;

-- name: summary
-- The newest revision in the log and how many keys live: each key's newest row, if that is no deletion.
SELECT (SELECT COALESCE(MAX(revision), 0) FROM log),
    (SELECT COUNT(*) FROM (SELECT key, MAX(revision), is_delete FROM log GROUP BY key) WHERE NOT is_delete);
