-- push: every answer and every code, one bad item among good ones, and the same answer for ever.
\set SHOW_CONTEXT never
SELECT paws_sync.subject_for('push') AS subject \gset
SELECT paws_sync.set_entitlement(:'subject', 'premium');
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset

-- accepted: it waits at a level; then there is a receipt
SELECT t.no(op_id) AS op, outcome, revision, level, retry_after, code, receipt, item
FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'calm')));
CALL t.wait_applied();
SELECT t.no(op_id) AS op, outcome, revision, code FROM paws_sync.receipts(:'phone', ARRAY[t.id(1)]);

-- duplicate: what was asked before gets the answer that it got, whatever is asked now
SELECT outcome, revision, level, code, receipt FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'calm')));
SELECT outcome, revision, level, code, receipt FROM paws_sync.push(:'phone', t.ops(t.op(1, 'plan', 9, 7, 'other')));
SELECT outcome, revision, code FROM paws_sync.receipts(:'phone', ARRAY[t.id(1)]);

-- one that still waits is known, but not finished
BEGIN;
SELECT outcome, receipt FROM paws_sync.push(:'phone', t.ops(t.op(2, 'mood', 2, 0, 'calm')));
SELECT outcome, receipt FROM paws_sync.push(:'phone', t.ops(t.op(2, 'mood', 2, 0, 'calm')));
SELECT t.no(op_id) AS op, outcome, revision, code, finished_at FROM paws_sync.receipts(:'phone', ARRAY[t.id(2)]);
COMMIT;

-- what is rolled back never was
BEGIN;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(3, 'mood', 3, 0, 'calm')));
ROLLBACK;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(3, 'mood', 3, 0, 'calm')));
BEGIN;
SAVEPOINT s;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(4, 'mood', 4, 0, 'calm')));
ROLLBACK TO s;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(5, 'mood', 5, 0, 'calm')));
COMMIT;
CALL t.wait_applied();
SELECT t.no(op_id) AS op, outcome, revision FROM paws_sync.receipts(:'phone', (SELECT array_agg(t.id(n)) FROM generate_series(2, 5) AS n));

-- a bad item refuses nothing but itself; answers come in the order of the items, crisis among ordinary
SELECT item, t.no(op_id) AS op, outcome, revision, level, retry_after, code, receipt
FROM paws_sync.push(:'phone', t.ops(
	t.op(11, 'mood', 11, 0, 'a'),
	t.op(12, 'nothing', 12, 0, 'b'),
	t.op(13, 'signal', 13, 0, 'c'),
	'"not an object"',
	t.op(14, 'plan', 14, 0, 'd'),
	t.op(14, 'plan', 15, 0, 'e'),
	t.op(16, 'upload', 16, 0, repeat('x', 1048577)),
	t.op(17, 'safety_plan', 17, 0, repeat('x', 1048577)),
	t.op(18, 'safety_plan', 18, 0, 'f'),
	t.op(19, 'mood', 19, 0, 'g') || '{"colour": "red"}',
	t.op(1, 'mood', 1, 0, 'h'),
	t.op(13, 'signal', 13, 0, 'i'),
	t.op(20, 'journal', 20, 0, ''),
	t.op(21, 'trace', 21, 0, repeat('x', 1048576))));
CALL t.wait_applied();

-- what the worker finds is told in the receipt, and to whoever asks again
SELECT outcome, code FROM paws_sync.push(:'phone', t.ops(
	t.op(31, 'mood', 1, 99, 'future'),
	t.op(32, 'plan', 1, 1, 'elsewhere'),
	t.op(33, 'journal', 20, 1, 'twice'),
	t.op(34, 'plan', 14, 1, 'second'),
	t.op(35, 'plan', 14, 1, 'stale'),
	t.op(36, 'mood', 1, 0, 'later wins'),
	t.op(37, 'signal', 13, 5, 'future'),
	t.op(38, 'mood', 38, 1, 'not there')));
CALL t.wait_applied();
SELECT t.no(r.op_id) AS op, r.outcome, r.revision, r.code
FROM paws_sync.receipts(:'phone', (SELECT array_agg(t.id(n)) FROM generate_series(31, 38) AS n)) r;
SELECT t.no(op_id) AS op, outcome, revision, level, code, receipt FROM paws_sync.push(:'phone',
	(SELECT jsonb_agg(t.op(n, CASE n WHEN 37 THEN 'signal' ELSE 'plan' END, 50, 0, 'again') ORDER BY n)
		FROM generate_series(31, 38) AS n));
SELECT t.no(op_id) AS op, outcome, revision, level, code, receipt FROM paws_sync.push(:'phone',
	(SELECT jsonb_agg(t.op(n, CASE n WHEN 37 THEN 'signal' ELSE 'plan' END, 50, 0, 'again') ORDER BY n)
		FROM generate_series(31, 38) AS n));

-- deletions have no payload
SELECT item, outcome, code FROM paws_sync.push(:'phone', t.ops(
	t.op(41, 'mood', 1, 2),
	t.op(42, 'mood', 2, 1) || '{"payload": ""}',
	t.op(43, 'mood', 3, 1) || '{"payload": null}',
	t.op(44, 'mood', 5, 1) || '{"payload": "YQ=="}',
	t.op(45, 'mood', 5, 1, 'x') || '{"deleted": false, "client_time": "2020-02-30T25:61"}',
	t.op(46, 'mood', 60, 0)));
CALL t.wait_applied();
SELECT t.no(op_id) AS op, outcome, revision, code
FROM paws_sync.receipts(:'phone', (SELECT array_agg(t.id(n)) FROM generate_series(41, 46) AS n)) r;

-- an operation belongs to its device: the same id from another is another
SELECT outcome, receipt FROM paws_sync.push(:'browser', t.ops(t.op(1, 'mood', 70, 0, 'calm')));
CALL t.wait_applied();
SELECT outcome, revision FROM paws_sync.receipts(:'browser', ARRAY[t.id(1), t.id(2)]);

-- nothing is a push too
SELECT count(*) FROM paws_sync.push(:'phone', '[]');

-- other devices see the last of each, and only what was applied
SELECT lane, kind, collection, t.no(doc_id) AS doc, revision, left(t.text(payload), 10) AS payload, t.no(op_id) AS op, outcome, code
FROM paws_sync.pull(:'browser', max_bytes => 10000000) ORDER BY lane, doc_id;
