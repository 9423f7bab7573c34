-- The crisis lane: applied in the caller's own transaction, whatever the tier, the limits and the ordinary lane.
\set SHOW_CONTEXT never
SELECT paws_sync.subject_for('crisis') AS subject \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset

SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(100, 'mood', 30, 0, 'calm')));
CALL t.wait_applied();

-- the receipt comes with the answer, and it is there before anything else happens
BEGIN;
SELECT outcome, revision, level, code, receipt FROM paws_sync.push(:'phone', t.ops(
	t.op(1, 'safety_plan', 1, 0, 'call Sam'), t.op(2, 'signal', 2, 0, 'help')));
SELECT t.no(op_id) AS op, outcome, revision FROM paws_sync.receipts(:'phone', ARRAY[t.id(1), t.id(2)]);
SELECT lane, kind, collection, t.text(payload) AS payload FROM paws_sync.pull(:'browser') WHERE lane = 'crisis';
COMMIT;
SELECT lane, kind, collection, t.text(payload) AS payload FROM paws_sync.pull(:'browser') WHERE lane = 'crisis';
SELECT count(*) AS in_the_queue FROM paws_queue.operation;

-- again
SELECT outcome, revision, level, code, receipt FROM paws_sync.push(:'phone', t.ops(t.op(1, 'safety_plan', 1, 0, 'call Sam')));

-- savepoints and rollbacks undo it like anything else
BEGIN;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(11, 'safety_plan', 1, 1, 'kept')));
SAVEPOINT s;
SELECT outcome, revision FROM paws_sync.push(:'phone', t.ops(t.op(12, 'safety_plan', 1, 2, 'undone'), t.op(13, 'signal', 13, 0, 'undone')));
ROLLBACK TO s;
SELECT outcome, revision FROM paws_sync.push(:'phone', t.ops(t.op(14, 'safety_plan', 1, 2, 'kept too')));
COMMIT;
BEGIN;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(15, 'safety_plan', 1, 3, 'undone')));
ROLLBACK;
SELECT t.no(op_id) AS op, outcome, revision FROM paws_sync.receipts(:'phone', (SELECT array_agg(t.id(n)) FROM generate_series(11, 15) AS n));
SELECT revision, t.text(payload) AS payload FROM paws_sync.pull(:'browser') WHERE doc_id = t.id(1);
SELECT array_agg(position ORDER BY position) AS gap_free FROM paws_crisis.feed JOIN paws_registry.subject USING (subject_no)
WHERE subject::text = :'subject';

-- it knows no limit but the size of a payload: not with all limits at 0, and not for a device too many
SELECT paws_sync.set_tier_policy('trial', 0, 0, 0, 0, 0, 0, 1);
SELECT paws_sync.register_device(:'subject', 'wearable') AS watch \gset
SELECT platform, crisis_only FROM paws_sync.devices(:'subject') WHERE device::text = :'watch';
SELECT item, outcome, level, code, receipt FROM paws_sync.push(:'watch', t.ops(
	t.op(21, 'signal', 21, 0, 'help'), t.op(22, 'mood', 22, 0, 'x'), t.op(23, 'safety_plan', 23, 0, repeat('x', 1048576)),
	t.op(24, 'safety_plan', 24, 0, repeat('x', 1048577))));
-- and it pulls the crisis lane alone
SELECT lane, t.no(doc_id) AS doc FROM paws_sync.pull(:'watch');
SELECT item, outcome, level, code, receipt FROM paws_sync.push(:'phone', t.ops(t.op(25, 'signal', 25, 0, 'help'), t.op(26, 'mood', 26, 0, '')));
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;

-- it needs nothing of the ordinary lane, of policy and of entitlements: here they are gone
BEGIN;
ALTER SCHEMA paws_care RENAME TO gone_care;
ALTER SCHEMA paws_queue RENAME TO gone_queue;
ALTER SCHEMA paws_vault RENAME TO gone_vault;
SELECT outcome, level, receipt FROM paws_sync.push(:'phone', t.ops(t.op(31, 'signal', 31, 0, 'help'), t.op(32, 'safety_plan', 32, 0, 'call Kim')));
-- ordinary operations of the same push are told to come back
SELECT outcome, level, code, retry_after, receipt FROM paws_sync.push(:'phone', t.ops(
	t.op(33, 'mood', 33, 0, 'x'), t.op(34, 'signal', 34, 0, 'help'), t.op(35, 'nothing', 35, 0, 'x')));
ROLLBACK;
SELECT count(*) AS undone FROM paws_sync.pull(:'browser') WHERE t.no(doc_id) > 30;

-- from the middle of a failed block it is undone with it
DO $$
BEGIN
	PERFORM paws_sync.push(paws_sync.register_device(paws_sync.subject_for('crisis'), 'ios'), t.ops(t.op(41, 'signal', 41, 0, 'help')));
	RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
	NULL;
END $$;
SELECT count(*) AS undone FROM paws_sync.pull(:'browser') WHERE t.no(doc_id) = 41;
SELECT count(*) AS measured FROM paws_sync.pg_stat_paws_sync_latency WHERE class IN ('emergency', 'safety') AND tier IS NULL AND count > 0;
