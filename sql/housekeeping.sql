-- What expires: tombstones that every live device has passed, and entries of the feed older than the tier's
-- window. The interval is shortened for this and put back behind it.
SELECT coalesce((SELECT setting FROM pg_file_settings
	WHERE name = 'paws_sync.housekeeping_interval' AND sourcefile ~ 'postgresql\.auto\.conf$'), 'none') AS before \gset
SELECT :'before' <> 'none' AS was_set \gset
ALTER SYSTEM SET paws_sync.housekeeping_interval = '1s';
SELECT pg_reload_conf();

SELECT paws_sync.subject_for('housekeeping') AS subject \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'a'), t.op(2, 'mood', 2, 0, 'b'),
	t.op(3, 'safety_plan', 3, 0, 'c'), t.op(4, 'safety_plan', 4, 0, 'd')));
CALL t.wait_applied();
SELECT (array_agg(cursor))[count(*)] AS old FROM paws_sync.pull(:'browser') \gset
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(11, 'mood', 1, 1), t.op(12, 'safety_plan', 3, 1)));
CALL t.wait_applied();

-- the phone has passed the tombstones, the browser not: they stay
SELECT subject_no AS no FROM paws_registry.subject WHERE subject::text = :'subject' \gset
CREATE VIEW tombstones AS
	SELECT 'care' AS lane, subject_no, doc_id FROM paws_care.document WHERE deleted
	UNION ALL SELECT 'crisis', subject_no, doc_id FROM paws_crisis.document WHERE deleted;
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(13, 'mood', 2, 1, 'e'), t.op(14, 'safety_plan', 4, 1, 'f')));
CALL t.wait_applied();
SELECT (array_agg(cursor))[count(*)] AS phone_place FROM paws_sync.pull(:'phone') \gset
SELECT paws_sync.ack(:'phone', :'phone_place');
SELECT lane, t.no(doc_id) AS doc FROM tombstones WHERE subject_no = :no ORDER BY 1;

-- then the browser passes them as well
SELECT lane, kind, t.no(doc_id) AS doc, deleted FROM paws_sync.pull(:'browser', :'old');
SELECT (array_agg(cursor))[count(*)] AS browser_place FROM paws_sync.pull(:'browser', :'old') \gset
SELECT paws_sync.ack(:'browser', :'browser_place');
CALL t.wait('NOT EXISTS (SELECT FROM tombstones JOIN paws_registry.subject USING (subject_no)
	WHERE subject OPERATOR(paws_sync.=) paws_sync.subject_for(''housekeeping''))');

-- an old entry of the ordinary feed expires; the receipt with it, the document not; crisis entries never do
UPDATE paws_care.feed SET finished_at = finished_at - interval '3 days' WHERE subject_no = :no;
UPDATE paws_crisis.feed SET finished_at = finished_at - interval '300 days' WHERE subject_no = :no;
CALL t.wait('NOT EXISTS (SELECT FROM paws_care.feed JOIN paws_registry.subject USING (subject_no)
	WHERE subject OPERATOR(paws_sync.=) paws_sync.subject_for(''housekeeping''))');
SELECT count(*) AS crisis_entries FROM paws_crisis.feed WHERE subject_no = :no;
SELECT t.no(op_id) AS op, outcome FROM paws_sync.receipts(:'phone', ARRAY[t.id(1), t.id(3)]);

-- who is behind it has to begin anew in that lane, and is told so; who is not goes on
SELECT lane, kind, code FROM paws_sync.pull(:'browser', :'old');
SELECT cursor AS again FROM paws_sync.pull(:'browser', :'old') WHERE kind = 'reset' \gset
SELECT lane, kind, t.no(doc_id) AS doc, revision, t.text(payload) AS payload FROM paws_sync.pull(:'browser', :'again');
SELECT count(*) FROM paws_sync.pull(:'browser', :'browser_place');
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(21, 'mood', 2, 2, 'g')));
CALL t.wait_applied();
SELECT kind, t.text(payload) AS payload FROM paws_sync.pull(:'browser', :'browser_place');

-- a clock that went backwards ages later entries before earlier ones: what counts as expired never comes back
SELECT paws_sync.subject_for('housekeeping clock') AS odd \gset
SELECT paws_sync.register_device(:'odd', 'ios') AS odd_phone \gset
SELECT paws_sync.register_device(:'odd', 'web') AS odd_browser \gset
SELECT subject_no AS odd_no FROM paws_registry.subject WHERE subject::text = :'odd' \gset
SELECT count(*) FROM paws_sync.push(:'odd_phone', (SELECT jsonb_agg(t.op(n, 'mood', n, 0, 'x')) FROM generate_series(1, 6) n));
CALL t.wait_applied();
SELECT (array_agg(cursor))[count(*)] AS middle FROM paws_sync.pull(:'odd_browser') \gset
SELECT count(*) FROM paws_sync.push(:'odd_phone', (SELECT jsonb_agg(t.op(n, 'mood', n, 0, 'x')) FROM generate_series(7, 11) n));
CALL t.wait_applied();
UPDATE paws_care.feed SET finished_at = finished_at - interval '3 days' WHERE subject_no = :odd_no AND position > 6;
CALL t.wait('EXISTS (SELECT FROM paws_care.counter JOIN paws_registry.subject s USING (subject_no)
	WHERE expired = 11 AND s.subject::text = paws_sync.subject_for(''housekeeping clock'')::text)');
SELECT kind, code FROM paws_sync.pull(:'odd_browser', :'middle');
UPDATE paws_care.feed SET finished_at = finished_at - interval '3 days' WHERE subject_no = :odd_no;
CALL t.wait('NOT EXISTS (SELECT FROM paws_care.feed JOIN paws_registry.subject s USING (subject_no)
	WHERE s.subject::text = paws_sync.subject_for(''housekeeping clock'')::text)');
SELECT expired FROM paws_care.counter WHERE subject_no = :odd_no;
SELECT kind, code FROM paws_sync.pull(:'odd_browser', :'middle');

DROP VIEW tombstones;
\if :was_set
ALTER SYSTEM SET paws_sync.housekeeping_interval = :'before';
\else
ALTER SYSTEM RESET paws_sync.housekeeping_interval;
\endif
SELECT pg_reload_conf();
