-- The health of the crisis lane: what is counted, what is refused, the canary and the alarms. Worker deaths, full disks and
-- restarts are in a test with a server of its own.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TEMP VIEW lane AS SELECT attempts, acknowledged, refused, rolled_back, overdue >= 0 AS overdue, success FROM paws_sync.pg_stat_paws_sync_crisis;
CREATE TEMP VIEW refusals AS SELECT code, well_formed, count FROM paws_sync.pg_stat_paws_sync_crisis_refusals WHERE count > 0;
SELECT paws_sync.subject_for('health') AS subject \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset
CALL t.wait($$ (SELECT waiting = 0 FROM paws_sync.pg_stat_paws_sync_crisis) $$);
SELECT paws_sync.stat_reset();

-- nothing yet: no ratio of nothing
SELECT * FROM lane;
SELECT code, well_formed FROM paws_sync.pg_stat_paws_sync_crisis_refusals WHERE count = 0;

-- an attempt counts when it is made, an acknowledgement at the commit; an ordinary operation is none of either
BEGIN;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(1, 'safety_plan', 1, 0, 'a'), t.op(2, 'signal', 2, 0, 'b')));
SELECT * FROM lane;
COMMIT;
SELECT * FROM lane;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(3, 'mood', 3, 0, 'x'), t.op(4, 'safety_plan', 4, 0, 'c')));
CALL t.wait_applied();
SELECT * FROM lane;
-- a repeat is an attempt, and acknowledged; it has no latency of its own
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(1, 'safety_plan', 1, 0, 'a')));
SELECT * FROM lane;
SELECT class, tier, count, target FROM paws_sync.pg_stat_paws_sync_latency WHERE class IN ('emergency', 'safety') ORDER BY class;

-- what is not well-formed is no attempt, and told apart if the lane is known
SELECT outcome, code FROM paws_sync.push_crisis(:'phone', t.ops(t.op(5, 'mood', 5, 0, 'x'), t.op(6, 'nothing', 6, 0, 'x'), t.op(7, 'safety_plan', 7, 0, 'x'),
	t.op(7, 'safety_plan', 7, 0, 'x'), '{}', t.op(8, 'safety_plan', 8, 0, repeat('x', 1048577))));
SELECT * FROM lane;
SELECT * FROM refusals;

-- rolled back: by a transaction, by a savepoint, by an error behind it; what an inner savepoint kept goes with the outer one
BEGIN;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(9, 'safety_plan', 9, 0, 'x')));
ROLLBACK;
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(10, 'safety_plan', 10, 0, 'x')));
RELEASE SAVEPOINT b;
ROLLBACK TO SAVEPOINT a;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(11, 'safety_plan', 11, 0, 'x')));
COMMIT;
SELECT outcome, 1 / (item - 1) AS error FROM paws_sync.push_crisis(:'phone', t.ops(t.op(12, 'safety_plan', 12, 0, 'x')));
SELECT * FROM lane;

-- refused: each by its reason, and by nobody's else
\set VERBOSITY terse
BEGIN READ ONLY;
SELECT * FROM paws_sync.push_crisis(:'phone', t.ops(t.op(13, 'safety_plan', 13, 0, 'x'), t.op(14, 'safety_plan', 14, 0, 'x')));
ROLLBACK;
BEGIN;
ALTER TABLE paws_crisis.feed RENAME TO gone;
SELECT * FROM paws_sync.push_crisis(:'phone', t.ops(t.op(16, 'safety_plan', 16, 0, 'x')));
ROLLBACK;
SELECT * FROM refusals;
SELECT * FROM lane;
-- a stranger's device, or no device, is no attempt
SELECT * FROM paws_sync.push_crisis('dev_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', '[]');
SELECT * FROM paws_sync.push_crisis(NULL, '[]');
SELECT attempts FROM lane;
-- an empty push is none either
SELECT * FROM paws_sync.push_crisis(:'phone', '[]');
SELECT attempts FROM lane;

-- alarms: none but those that this test has just given cause for
SELECT alarm, unit, threshold > 0 AS threshold FROM paws_sync.pg_stat_paws_sync_alarms;
CALL t.wait($$ (SELECT count(*) = 2 FROM paws_sync.pg_stat_paws_sync_alarms WHERE alarm IN ('refused', 'rolled_back') AND raised) $$);
SELECT alarm FROM paws_sync.pg_stat_paws_sync_alarms WHERE raised AND alarm NOT IN ('refused', 'rolled_back') AND alarm NOT LIKE 'storage%';
SELECT alarm, since IS NOT NULL AS since, hint FROM paws_sync.pg_stat_paws_sync_alarms WHERE alarm IN ('refused', 'rolled_back') AND raised ORDER BY alarm;

-- stat_reset() begins anew, with histograms
SELECT paws_sync.stat_reset();
SELECT * FROM lane;
SELECT * FROM refusals;
SELECT class, count FROM paws_sync.pg_stat_paws_sync_latency WHERE class IN ('emergency', 'safety') ORDER BY class;

-- crisis cannot be paused
\set VERBOSITY terse
SELECT paws_sync.pause_level('10');
SELECT paws_sync.pause_level('9');
SELECT paws_sync.pause_level('crisis_data');
SELECT paws_sync.pause_level('8');
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(19, 'signal', 19, 0, 'x')));
SELECT paws_sync.resume_level('8');

-- without a canary nobody watches
SELECT num_nulls(canary_last, canary_last_at, canary_p99) AS unknown, canary_rounds, objective FROM paws_sync.pg_stat_paws_sync_crisis
WHERE state IN ('unwatched', 'degraded');
SELECT detail ~ '^the canary is off; of [0-9]+ operations [0-9]+ acknowledged' AS said FROM paws_sync.status() WHERE component = 'crisis lane';

-- the canary: on, it has an identity of its own, and is in no count but its own
SELECT paws_sync.stat_reset();
SELECT count(*) AS subjects FROM paws_registry.subject \gset
ALTER SYSTEM SET paws_sync.canary_interval = '1s';
SELECT pg_reload_conf();
CALL t.wait($$ (SELECT canary_rounds >= 7 FROM paws_sync.pg_stat_paws_sync_crisis) $$);
SELECT * FROM lane;
SELECT canary_failed < canary_rounds AS arrived, canary_last > 0 AS measured, canary_worst >= canary_last AS worst, canary_p99 > 0 AS p99, canary_last_at <= now() AS at,
	available_1d >= 0 AND available_1d <= 1 AS day, available_30d >= 0 AND available_30d <= 1 AS days, waiting, stuck, oldest_age
FROM paws_sync.pg_stat_paws_sync_crisis;
SELECT class, count FROM paws_sync.pg_stat_paws_sync_latency WHERE class IN ('emergency', 'safety') ORDER BY class;
SELECT count(*) - :subjects AS own_subjects FROM paws_registry.subject;
SELECT c.role, d.platform, d.crisis_only FROM paws_crisis.canary_device c JOIN paws_registry.device d ON d.device::text = c.device::text ORDER BY c.role;
SELECT name, class FROM paws_sync.collections WHERE name = 'paws_sync_canary';
SELECT count(*) AS documents FROM paws_crisis.document WHERE collection = (SELECT collection_no FROM paws_registry.collection WHERE name = 'paws_sync_canary');
SELECT date_trunc('hour', hour AT TIME ZONE 'UTC') = hour AT TIME ZONE 'UTC' AS whole, measured >= there AS sound, rounds > 6 AS rounds, failed < rounds AS arrived, worst > 0 AS worst, running
FROM paws_crisis.canary ORDER BY canary.hour DESC LIMIT 1;
-- nobody else can see what it writes
SELECT count(*) FROM paws_sync.pull_crisis(:'browser') WHERE collection = 'paws_sync_canary';

-- off again: time is not accounted for any more, and it leaves what it was
ALTER SYSTEM RESET paws_sync.canary_interval;
SELECT pg_reload_conf();
CALL t.wait($$ (SELECT NOT running FROM paws_crisis.canary ORDER BY hour DESC LIMIT 1) $$);
SELECT available_1d IS NOT NULL AS kept FROM paws_sync.pg_stat_paws_sync_crisis;

-- its tables take nothing that is of no sense
\set VERBOSITY sqlstate
INSERT INTO paws_crisis.canary_device VALUES (3, :'phone');
INSERT INTO paws_crisis.canary_device VALUES (1, :'phone');
INSERT INTO paws_crisis.canary_device VALUES (2, NULL);
INSERT INTO paws_crisis.canary VALUES (now(), 1, NULL, 1, now(), 1, 1, true);

-- gone is what this test made
DELETE FROM paws_registry.device d USING paws_crisis.canary_device c WHERE c.device::text = d.device::text;
DELETE FROM paws_crisis.canary_device;
DELETE FROM paws_crisis.canary;
