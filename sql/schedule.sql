-- Who is served next: turns of subjects inside a level, and levels that are paused.
\set SHOW_CONTEXT never

-- crisis is never paused, and there are no other levels
SELECT paws_sync.pause_level('crisis_data');
SELECT paws_sync.pause_level('10');
SELECT paws_sync.resume_level('crisis_emergency');
SELECT paws_sync.pause_level('0');
SELECT paws_sync.pause_level('urgent');
SELECT paws_sync.pause_level(NULL);
SELECT paws_sync.resume_level(NULL);
INSERT INTO paws_queue.paused_level VALUES (9);
INSERT INTO paws_queue.paused_level VALUES (0);
INSERT INTO paws_queue.paused_level VALUES (NULL);

-- a pause that is rolled back is none; what is so already is told
SELECT paws_sync.resume_level('bulk');
BEGIN;
SELECT paws_sync.pause_level('bulk');
SELECT level FROM paws_sync.pg_stat_paws_sync_lanes WHERE paused;
ROLLBACK;
SELECT level FROM paws_sync.pg_stat_paws_sync_lanes WHERE paused;
BEGIN;
SAVEPOINT s;
SELECT paws_sync.pause_level('bulk');
ROLLBACK TO s;
COMMIT;
SELECT level FROM paws_sync.pg_stat_paws_sync_lanes WHERE paused;
SELECT paws_sync.pause_level('bulk') AS changed, paws_sync.pause_level('bulk') AS again;
SELECT level FROM paws_sync.pg_stat_paws_sync_lanes WHERE paused;

-- what is paused waits, what is not goes by, and crisis with it
SELECT paws_sync.pause_level(level) FROM unnest('{1,3,4,5,6,7,8}'::paws_sync.level[]) AS level;
SELECT substring(detail, ';.*') AS detail FROM paws_sync.status() WHERE component = 'queue';
SELECT paws_sync.register_device(paws_sync.subject_for('schedule a'), 'ios') AS a \gset
SELECT paws_sync.register_device(paws_sync.subject_for('schedule b'), 'ios') AS b \gset
SELECT outcome FROM paws_sync.push(:'a', t.ops(t.op(1, 'safety_plan', 1, 0, 'a'), t.op(2, 'upload', 2, 0, 'a')));
SELECT collection, revision FROM paws_sync.pull(:'a', NULL) WHERE kind = 'document' ORDER BY 1;

-- a subject that puts many takes turns with one that comes later
CREATE VIEW t.ranks AS
	SELECT t.no(o.op_id) AS op, o.level, o.base_level, o.rank - min(o.rank) OVER (PARTITION BY o.level) AS rank
	FROM paws_queue.operation o;
SELECT count(*) FROM paws_sync.push(:'a', (SELECT jsonb_agg(t.op(10 + n, 'mood', 10 + n, 0, 'a')) FROM generate_series(1, 5) AS n));
SELECT count(*) FROM paws_sync.push(:'b', (SELECT jsonb_agg(t.op(20 + n, 'mood', 20 + n, 0, 'a')) FROM generate_series(1, 3) AS n));
SELECT count(*) FROM paws_sync.push(:'a', t.ops(t.op(16, 'mood', 16, 0, 'a'), t.op(30, 'trace', 30, 0, 'a')));
SELECT * FROM t.ranks ORDER BY level DESC, rank, op;

-- what is rolled back takes no turn, be it a savepoint or all of it
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM paws_sync.push(:'b', t.ops(t.op(41, 'mood', 41, 0, 'a'), t.op(42, 'mood', 42, 0, 'a')));
ROLLBACK TO s;
SELECT count(*) FROM paws_sync.push(:'b', t.ops(t.op(24, 'mood', 24, 0, 'a')));
COMMIT;
BEGIN;
SELECT count(*) FROM paws_sync.push(:'b', (SELECT jsonb_agg(t.op(50 + n, 'mood', 50 + n, 0, 'a')) FROM generate_series(1, 100) AS n));
ROLLBACK;
SELECT count(*) FROM paws_sync.push(:'b', t.ops(t.op(25, 'mood', 25, 0, 'a')));
SELECT * FROM t.ranks WHERE op BETWEEN 21 AND 29 ORDER BY rank, op;

-- a repeat takes none either
SELECT outcome FROM paws_sync.push(:'b', t.ops(t.op(25, 'mood', 25, 0, 'a'), t.op(26, 'mood', 26, 0, 'a')));
SELECT op, rank FROM t.ranks WHERE op IN (25, 26) ORDER BY rank;

-- the columns hold what they should
SELECT count(*) AS wrong FROM paws_queue.operation WHERE base_level <> level;
\set VERBOSITY terse
UPDATE paws_queue.operation SET base_level = level + 1;
UPDATE paws_queue.operation SET base_level = 0;
UPDATE paws_queue.operation SET rank = NULL;
\set VERBOSITY default

-- the view counts, and shows what is paused; resumed, it is served, one level after the other
SELECT level, depth FROM paws_sync.pg_stat_paws_sync_lanes WHERE depth > 0;
SELECT paws_sync.resume_level('background');
CALL t.wait($$ (SELECT depth = 0 FROM paws_sync.pg_stat_paws_sync_lanes WHERE level_number = 1) $$);
SELECT level, depth, paused FROM paws_sync.pg_stat_paws_sync_lanes WHERE depth > 0;
BEGIN;
SELECT paws_sync.resume_level('reduced');
ROLLBACK;
SELECT level FROM paws_sync.pg_stat_paws_sync_lanes WHERE paused;
DELETE FROM paws_queue.paused_level WHERE level <> 2;
CALL t.wait($$ (SELECT depth = 0 FROM paws_sync.pg_stat_paws_sync_lanes WHERE level_number = 3) $$);
SELECT level, depth, paused FROM paws_sync.pg_stat_paws_sync_lanes WHERE depth > 0;
TRUNCATE paws_queue.paused_level;
CALL t.wait_applied();
SELECT count(*) AS paused FROM paws_sync.pg_stat_paws_sync_lanes WHERE paused;
SELECT paws_sync.resume_level('bulk');
DROP VIEW t.ranks;
