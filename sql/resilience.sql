-- One bad row, one hostile argument, one careless caller: each costs itself and nobody else.
SELECT paws_sync.subject_for('resilience') AS subject \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset
SELECT subject_no AS no FROM paws_registry.subject WHERE subject::text = :'subject' \gset

-- an envelope that does not open is said to be unreadable; what stands around it is delivered, crisis first
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'one'), t.op(2, 'mood', 2, 0, 'two'),
	t.op(3, 'mood', 3, 0, 'three'), t.op(4, 'safety_plan', 4, 0, 'call Kim')));
CALL t.wait_applied();
UPDATE paws_care.document SET seal = '\x00000000000000000000000000000000' WHERE subject_no = :no AND doc_id = t.id(2);
SELECT lane, kind, t.no(doc_id) AS doc, t.text(payload) AS payload, code FROM paws_sync.pull(:'browser') ORDER BY lane, doc;
UPDATE paws_care.document SET envelope = substr(envelope, 1, 104) WHERE subject_no = :no AND doc_id = t.id(2);
SELECT kind, t.no(doc_id) AS doc, code FROM paws_sync.pull(:'browser') WHERE kind <> 'change';

-- a key that does not open fails the ordinary lane, but not while the crisis lane has something to say
BEGIN;
UPDATE paws_vault.data_key SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1), key_id = gen_random_uuid()
WHERE subject_no = :no;
SELECT lane, kind, t.no(doc_id) AS doc, code FROM paws_sync.pull(:'browser') WHERE lane = 'crisis';
ROLLBACK;

-- a document rewritten while its tombstone goes is not lost
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(11, 'safety_plan', 4, 1)));
BEGIN;
DELETE FROM paws_crisis.document WHERE subject_no = :no AND doc_id = t.id(4);
SELECT outcome, revision FROM paws_sync.push(:'phone', t.ops(t.op(12, 'safety_plan', 4, 0, 'call Lee')));
ROLLBACK;
SELECT outcome, revision FROM paws_sync.push(:'phone', t.ops(t.op(13, 'safety_plan', 4, 2, 'call Lee')));
SELECT lane, kind, revision, t.text(payload) AS payload FROM paws_sync.pull(:'browser') WHERE lane = 'crisis';

-- numbers that would be a hundred thousand digits long are looked at before they are printed
SELECT outcome, code FROM paws_sync.push(:'phone', jsonb_build_array(
	t.op(21, 'mood', 5, 0, 'x') || '{"base_revision": 1e131000}', t.op(22, 'mood', 6, 0, 'x') || '{"base_revision": -1}',
	t.op(23, 'mood', 7, 0, 'x') || '{"base_revision": 0.5}', t.op(24, 'mood', 8, 0, 'x') || '{"base_revision": 1e18}',
	t.op(25, 'mood', 9, 0, 'x') || '{"base_revision": 0e0}'));
CALL t.wait_applied();

-- defining a collection again and again uses nothing up
SELECT last_value AS before FROM paws_registry.collection_collection_no_seq \gset
SELECT count(paws_sync.define_collection('mood', 'interactive', 'server_order')) FROM generate_series(1, 100);
SELECT last_value = :before AS same FROM paws_registry.collection_collection_no_seq;

-- after the first refusal by the rate the rest of a call is refused too: nothing overtakes an earlier change
SELECT paws_sync.subject_for('resilience rate') AS hasty \gset
SELECT paws_sync.register_device(:'hasty', 'ios') AS watch \gset
BEGIN;
SELECT paws_sync.set_tier_policy('trial', bytes_per_second => 1, bytes_burst => 3000);
SELECT outcome, code FROM paws_sync.push(:'watch', t.ops(t.op(31, 'mood', 31, 0, repeat('a', 2000)),
	t.op(32, 'mood', 31, 1, repeat('b', 2000)), t.op(33, 'mood', 31, 2, 'c')));
ROLLBACK;

-- the binding of the database to its root key outlives a first try that was rolled back
\c
BEGIN;
DELETE FROM paws_vault.root_check;
SAVEPOINT before;
SELECT paws_sync.set_entitlement(:'subject', 'basic');
ROLLBACK TO before;
SELECT count(*) AS bound FROM paws_vault.root_check;
SELECT paws_sync.set_entitlement(:'subject', 'basic');
SELECT count(*) AS bound FROM paws_vault.root_check;
ROLLBACK;

-- a seed of a whole number of pages ends with a cursor into the feed
SELECT paws_sync.subject_for('resilience pages') AS reader \gset
SELECT paws_sync.register_device(:'reader', 'ios') AS writes \gset
SELECT paws_sync.register_device(:'reader', 'web') AS reads \gset
SELECT count(*) FROM paws_sync.push(:'writes', (SELECT jsonb_agg(t.op(n, 'mood', n, 0, 'x')) FROM generate_series(1, 200) n));
CALL t.wait_applied();
SELECT count(*), (array_agg(cursor))[count(*)] AS place FROM paws_sync.pull(:'reads', max_changes => 1000) \gset
SELECT :count AS rows;
SELECT paws_sync.ack(:'reads', :'place');
SELECT behind FROM paws_sync.sync_status(:'reader') WHERE acknowledged_at IS NOT NULL;
SELECT count(*) FROM paws_sync.pull(:'reads', :'place');

-- a document made again after its tombstone went is one change to a device that knew the old one
SELECT count(*) FROM paws_sync.push(:'writes', t.ops(t.op(301, 'safety_plan', 301, 0, 'old')));
SELECT (array_agg(cursor))[count(*)] AS place FROM paws_sync.pull(:'reads', :'place') \gset
SELECT count(*) FROM paws_sync.push(:'writes', t.ops(t.op(302, 'safety_plan', 301, 1)));
DELETE FROM paws_crisis.document d USING paws_registry.subject s
WHERE s.subject_no = d.subject_no AND s.subject::text = :'reader' AND d.deleted;
SELECT count(*) FROM paws_sync.push(:'writes', t.ops(t.op(303, 'safety_plan', 301, 0, 'new')));
SELECT count(*) FROM paws_sync.push(:'writes', t.ops(t.op(304, 'safety_plan', 301, 1, 'newer')));
SELECT kind, revision, deleted, t.text(payload) AS payload FROM paws_sync.pull(:'reads', :'place');
