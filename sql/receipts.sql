-- receipts: what became of a device's operations.
\set SHOW_CONTEXT never
SELECT paws_sync.register_device(paws_sync.subject_for('receipts'), 'ios') AS phone \gset
SELECT paws_sync.register_device(paws_sync.subject_for('receipts'), 'web') AS browser \gset

-- unknown, waiting and finished ones, in the order asked
BEGIN;
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'calm'), t.op(2, 'safety_plan', 2, 0, 'call Sam')));
SELECT t.no(op_id) AS op, outcome, revision, code, finished_at IS NOT NULL AS finished
FROM paws_sync.receipts(:'phone', ARRAY[t.id(3), t.id(2), t.id(1)]);
COMMIT;
CALL t.wait_applied();
SELECT t.no(op_id) AS op, outcome, revision, code, finished_at <= clock_timestamp() AS finished
FROM paws_sync.receipts(:'phone', ARRAY[t.id(3), t.id(2), t.id(1), NULL, t.id(1)]);

-- another device has its own
SELECT t.no(op_id) AS op, outcome FROM paws_sync.receipts(:'browser', ARRAY[t.id(1), t.id(2)]);

-- they never change: the document goes on, the receipt stays
SELECT md5(string_agg(r::text, ' ')) AS before FROM paws_sync.receipts(:'phone', ARRAY[t.id(1), t.id(2)]) r \gset
SELECT count(*) FROM paws_sync.push(:'browser', t.ops(t.op(1, 'mood', 1, 1, 'tired'), t.op(2, 'safety_plan', 2, 1)));
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0), t.op(2, 'safety_plan', 2, 5, 'x')));
CALL t.wait_applied();
SELECT paws_sync.revoke_device(:'phone');
SELECT md5(string_agg(r::text, ' ')) = :'before' AS same FROM paws_sync.receipts(:'phone', ARRAY[t.id(1), t.id(2)]) r;

-- nothing to tell
SELECT count(*) FROM paws_sync.receipts(:'phone', '{}');
SELECT count(*) FROM paws_sync.receipts(:'phone', '{NULL,NULL}');
SELECT * FROM paws_sync.receipts(:'phone', (SELECT array_agg(t.id(n)) FROM generate_series(1, 10001) AS n));
