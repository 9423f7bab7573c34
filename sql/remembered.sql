-- What a transaction added and took back is in no memory: its tokens lead nowhere afterwards.
SELECT paws_sync.define_topic('remembered');
SELECT paws_sync.subject_for('remembered') AS subject \gset
BEGIN;
SELECT paws_sync.register_device(:'subject', 'ios') AS device \gset
SELECT outcome FROM paws_sync.push(:'device', t.ops(t.op(1, 'mood', 1, 0, 'a')));
SELECT outcome FROM paws_sync.submit('remembered', 'x', subject => :'subject');
SELECT subject_no AS old FROM paws_registry.subject WHERE subject OPERATOR(paws_sync.=) :'subject' \gset
ROLLBACK;
SELECT outcome FROM paws_sync.push(:'device', t.ops(t.op(1, 'mood', 1, 0, 'a')));
\echo :LAST_ERROR_SQLSTATE
SELECT outcome FROM paws_sync.submit('remembered', 'x', subject => :'subject');
SELECT subject_no <> :old AS another FROM paws_registry.subject WHERE subject OPERATOR(paws_sync.=) :'subject';
-- the same with a savepoint, in a transaction that goes on
BEGIN;
SELECT outcome FROM paws_sync.submit('remembered', 'x', subject => :'subject');
SAVEPOINT s;
SELECT paws_sync.register_device(:'subject', 'ios') AS device \gset
SELECT paws_sync.set_entitlement(:'subject', 'grace_period');
SELECT outcome, level FROM paws_sync.push(:'device', t.ops(t.op(2, 'mood', 2, 0, 'a')));
SELECT outcome, level FROM paws_sync.submit('remembered', 'x', subject => :'subject');
ROLLBACK TO s;
SELECT outcome, level FROM paws_sync.submit('remembered', 'x', subject => :'subject');
SELECT outcome FROM paws_sync.push(:'device', t.ops(t.op(2, 'mood', 2, 0, 'a')));
\echo :LAST_ERROR_SQLSTATE
COMMIT;

-- an entitlement ends by itself, in a session that remembers it
SELECT paws_sync.set_entitlement(:'subject', 'premium', now() + interval '1 hour');
SELECT level FROM paws_sync.submit('remembered', 'x', subject => :'subject');
SELECT level FROM paws_sync.submit('remembered', 'x', subject => :'subject');
UPDATE paws_care.entitlement SET until = now() + interval '2 s'
WHERE subject_no = (SELECT subject_no FROM paws_registry.subject WHERE subject OPERATOR(paws_sync.=) :'subject');
SELECT level FROM paws_sync.submit('remembered', 'x', subject => :'subject');
SELECT pg_sleep(2.1);
SELECT level FROM paws_sync.submit('remembered', 'x', subject => :'subject');
DELETE FROM paws_care.entitlement
WHERE subject_no = (SELECT subject_no FROM paws_registry.subject WHERE subject OPERATOR(paws_sync.=) :'subject');

-- a token of another subject in the same place of the memory, and one that was never seen
SELECT count(DISTINCT (paws_sync.submit('remembered', 'x', subject => paws_sync.subject_for('remembered ' || n % 600))).job)
FROM generate_series(1, 1200) n;
SELECT count(*) AS subjects, min(jobs), max(jobs) FROM (
	SELECT count(*) AS jobs FROM paws_queue.job GROUP BY subject_no HAVING count(*) = 2) s;

-- a row that is deleted by hand
SELECT paws_sync.register_device(:'subject', 'ios') AS device \gset
SELECT outcome FROM paws_sync.push(:'device', t.ops(t.op(3, 'mood', 3, 0, 'a')));
DELETE FROM paws_registry.device WHERE device OPERATOR(paws_sync.=) :'device';
SELECT outcome FROM paws_sync.push(:'device', t.ops(t.op(4, 'mood', 4, 0, 'a')));
\echo :LAST_ERROR_SQLSTATE
CALL t.wait_applied();
-- the trigger is no function to call
SELECT paws_registry.subject_changed();
\echo :LAST_ERROR_SQLSTATE
DO $$ BEGIN PERFORM paws_sync.cancel(id) FROM paws_queue.job; END $$;
SELECT paws_sync.drop_topic('remembered');
