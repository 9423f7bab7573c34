-- What happens to a change whose base is not the document's revision, in each kind of collection.
SELECT paws_sync.subject_for('conflict') AS subject \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset

-- server_order: what comes later wins, and says which revision it made
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'one')));
CALL t.wait_applied();
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(2, 'mood', 1, 1, 'two')));
SELECT count(*) FROM paws_sync.push(:'browser', t.ops(t.op(3, 'mood', 1, 1, 'three')));
CALL t.wait_applied();
SELECT t.no(op_id) AS op, outcome, revision, code FROM paws_sync.receipts(:'phone', ARRAY[t.id(1), t.id(2)])
UNION ALL SELECT t.no(op_id), outcome, revision, code FROM paws_sync.receipts(:'browser', ARRAY[t.id(3)]);
SELECT count(*) AS changes, max(revision) AS revision FROM paws_sync.pull(:'phone') WHERE t.no(doc_id) = 1;

-- branch: the first wins, the other is kept beside it
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(11, 'plan', 2, 0, 'one')));
CALL t.wait_applied();
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(12, 'plan', 2, 1, 'two')));
CALL t.wait_applied();
SELECT count(*) FROM paws_sync.push(:'browser', t.ops(t.op(13, 'plan', 2, 1, 'three'), t.op(14, 'plan', 2, 0)));
CALL t.wait_applied();
SELECT t.no(op_id) AS op, outcome, revision, code FROM paws_sync.receipts(:'browser', ARRAY[t.id(13), t.id(14)]);
SELECT t.no(op_id) AS op, t.no(doc_id) AS doc, base_revision, deleted, envelope IS NOT NULL AS kept
FROM paws_care.branch JOIN paws_registry.subject s USING (subject_no)
WHERE s.subject::text = :'subject' AND doc_id = t.id(2) ORDER BY op_id;
SELECT kind, revision, t.text(payload) AS payload, t.no(op_id) AS op, outcome, code
FROM paws_sync.pull(:'browser') WHERE doc_id = t.id(2);

-- append: written once, may be deleted, and nothing else
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(21, 'journal', 3, 0, 'one')));
CALL t.wait_applied();
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(
	t.op(22, 'journal', 3, 1, 'two'), t.op(23, 'journal', 3, 0, 'three'), t.op(24, 'journal', 3, 0)));
CALL t.wait_applied();
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(25, 'journal', 3, 1)));
CALL t.wait_applied();
SELECT t.no(op_id) AS op, outcome, revision, code
FROM paws_sync.receipts(:'phone', (SELECT array_agg(t.id(n)) FROM generate_series(21, 25) AS n));

-- a deleted document can be made again, on top of its tombstone
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(31, 'mood', 4, 0, 'one')));
CALL t.wait_applied();
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(32, 'mood', 4, 1)));
CALL t.wait_applied();
SELECT d.revision, d.deleted, d.envelope IS NULL AS empty
FROM paws_care.document d JOIN paws_registry.subject s USING (subject_no)
WHERE s.subject::text = :'subject' AND d.doc_id = t.id(4);
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(33, 'mood', 4, 2, 'two')));
CALL t.wait_applied();
SELECT t.no(op_id) AS op, outcome, revision, code
FROM paws_sync.receipts(:'phone', (SELECT array_agg(t.id(n)) FROM generate_series(31, 33) AS n));

-- also by one that does not know of it
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(34, 'mood', 4, 3)));
CALL t.wait_applied();
SELECT count(*) FROM paws_sync.push(:'browser', t.ops(t.op(35, 'mood', 4, 0, 'three')));
CALL t.wait_applied();
SELECT outcome, revision FROM paws_sync.receipts(:'browser', ARRAY[t.id(35)]);
SELECT revision, deleted, t.text(payload) AS payload FROM paws_sync.pull(:'phone') WHERE doc_id = t.id(4);

-- a document stays in its collection; a base that never was is refused
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(
	t.op(41, 'plan', 4, 4, 'x'), t.op(42, 'plan', 4, 0), t.op(43, 'mood', 4, 5, 'x'), t.op(44, 'mood', 99, 1)));
CALL t.wait_applied();
SELECT t.no(op_id) AS op, outcome, revision, code
FROM paws_sync.receipts(:'phone', (SELECT array_agg(t.id(n)) FROM generate_series(41, 44) AS n));

-- many changes of one document in one call are applied in their order
SELECT outcome, count(*) FROM paws_sync.push(:'phone',
	(SELECT jsonb_agg(t.op(100 + n, 'mood', 5, n - 1, 'version ' || n) ORDER BY n) FROM generate_series(1, 50) AS n)) GROUP BY 1;
CALL t.wait_applied();
SELECT bool_and(outcome = 'applied' AND revision = t.no(op_id) - 100) AS in_order
FROM paws_sync.receipts(:'phone', (SELECT array_agg(t.id(n)) FROM generate_series(101, 150) AS n));
SELECT revision, t.text(payload) AS payload FROM paws_sync.pull(:'browser') WHERE doc_id = t.id(5);

-- the crisis lane decides the same, at once
SELECT t.no(op_id) AS op, outcome, revision, code, receipt FROM paws_sync.push(:'phone', t.ops(
	t.op(201, 'safety_plan', 6, 0, 'one'), t.op(202, 'safety_plan', 6, 1, 'two'), t.op(203, 'safety_plan', 6, 1, 'three'),
	t.op(204, 'safety_plan', 6, 9, 'four'), t.op(205, 'signal', 6, 0, 'five'), t.op(206, 'signal', 7, 0, 'six'),
	t.op(207, 'signal', 7, 1, 'seven'), t.op(208, 'safety_plan', 6, 3)));

-- documents of the lanes do not meet, even under one id
SELECT outcome, receipt FROM paws_sync.push(:'phone', t.ops(t.op(209, 'mood', 7, 0, 'eight')));
CALL t.wait_applied();
SELECT lane, collection, revision, t.text(payload) AS payload FROM paws_sync.pull(:'browser') WHERE doc_id = t.id(7);
