-- Subjects and devices.
\set SHOW_CONTEXT never
SET search_path = paws_sync, public;

-- subject_for is pure: the same reference gives the same subject, and nothing is written
SELECT paws_sync.subject_for('identity') AS subject, paws_sync.subject_for('identity 2') AS other \gset
SELECT paws_sync.subject_for('identity') = :'subject' AS same, :'subject'::paws_sync.subject <> :'other' AS another,
	paws_sync.subject_for('Identity') <> :'subject' AS exact;
SELECT provolatile AS stable FROM pg_proc WHERE oid = 'paws_sync.subject_for'::regproc;
BEGIN READ ONLY;
SELECT paws_sync.subject_for('identity') = :'subject' AS same;
COMMIT;
SELECT count(*) AS stored FROM paws_registry.subject WHERE subject IN (:'subject', :'other');
SELECT count(*) AS devices FROM paws_sync.devices(:'subject');

-- devices; a trial has two with full service
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset
SELECT paws_sync.register_device(:'subject', 'wearable') AS watch \gset
SELECT :'phone' <> :'browser' AS random;
SELECT CASE device WHEN :'phone' THEN 'phone' WHEN :'browser' THEN 'browser' WHEN :'watch' THEN 'watch' END AS device,
	platform, registered_at <= now() AS registered, revoked_at, crisis_only
FROM paws_sync.devices(:'subject');
SELECT count(*) AS stored FROM paws_registry.subject WHERE subject = :'subject';
SELECT count(*) AS others FROM paws_sync.devices(:'other');

-- the one beyond the limit is served in the crisis lane alone
SELECT item, outcome, level, code FROM paws_sync.push(:'watch',
	t.ops(t.op(1, 'mood', 1, 0, 'calm'), t.op(2, 'safety_plan', 2, 0, 'call Sam')));

-- what may be revoked once
SELECT paws_sync.revoke_device(:'phone');
SELECT paws_sync.revoke_device(:'phone');
SELECT platform, revoked_at IS NOT NULL AS revoked, crisis_only FROM paws_sync.devices(:'subject');
SELECT item, outcome, level FROM paws_sync.push(:'watch', t.ops(t.op(3, 'mood', 1, 0, 'calm')));

-- a revoked device has no pull, no ack and no ordinary push; in a crisis it is still heard
SELECT * FROM paws_sync.pull(:'phone');
SELECT * FROM paws_sync.pull_wait(:'phone');
SELECT cursor FROM paws_sync.pull(:'browser') ORDER BY cursor::text LIMIT 1 \gset
SELECT paws_sync.ack(:'phone', :'cursor');
SELECT item, outcome, level, code, receipt FROM paws_sync.push(:'phone',
	t.ops(t.op(1, 'mood', 1, 0, 'calm'), t.op(2, 'signal', 3, 0, 'help')));
SELECT t.no(op_id) AS op, outcome FROM paws_sync.receipts(:'phone', ARRAY[t.id(1), t.id(2)]);

-- its place is free for another (the watch has it now), and a higher tier has more of them
SELECT paws_sync.register_device(:'subject', 'android') AS second \gset
SELECT paws_sync.register_device(:'subject', 'desktop') AS third \gset
SELECT platform, crisis_only FROM paws_sync.devices(:'subject') WHERE crisis_only;
SELECT paws_sync.set_entitlement(:'subject', 'premium');
SELECT paws_sync.register_device(:'subject', 'server') AS fourth \gset
SELECT platform, revoked_at IS NOT NULL AS revoked, crisis_only FROM paws_sync.devices(:'subject');

-- platforms are a closed vocabulary
SELECT paws_sync.register_device(:'subject', 'toaster');
SELECT paws_sync.register_device(:'subject', '');
SELECT paws_sync.register_device(:'subject', 'iOS');

-- references have 1 to 1024 bytes
SELECT paws_sync.subject_for('') IS NULL;
SELECT paws_sync.subject_for(repeat('x', 1024)) IS NOT NULL AS longest;
SELECT paws_sync.subject_for(repeat('x', 1025)) IS NULL;

-- an entitlement ends by itself; without one it is a trial
SELECT paws_sync.set_entitlement(:'subject', 'grace_period', now() - interval '1 second');
SELECT outcome, level FROM paws_sync.push(:'browser', t.ops(t.op(1, 'mood', 4, 0, 'calm')));
SELECT paws_sync.set_entitlement(:'subject', 'grace_period', now() + interval '1 day');
SELECT outcome, level FROM paws_sync.push(:'browser', t.ops(t.op(2, 'mood', 5, 0, 'calm')));
SELECT paws_sync.set_entitlement(:'subject', 'basic');
SELECT outcome, level FROM paws_sync.push(:'browser', t.ops(t.op(3, 'mood', 6, 0, 'calm')));
SELECT paws_sync.set_entitlement(:'subject', 'premium', 'infinity');
SELECT outcome, level FROM paws_sync.push(:'browser', t.ops(t.op(4, 'mood', 7, 0, 'calm')));
SELECT paws_sync.set_entitlement(:'subject', 'premium', '-infinity');
SELECT outcome, level FROM paws_sync.push(:'browser', t.ops(t.op(5, 'mood', 8, 0, 'calm')));
CALL t.wait_applied();
