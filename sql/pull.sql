-- pull: a seed and then the feed, page by page, with a cursor in every row.
\set SHOW_CONTEXT never
SELECT paws_sync.subject_for('pull') AS subject, paws_sync.subject_for('pull 2') AS stranger \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset
SELECT paws_sync.register_device(:'stranger', 'ios') AS other \gset

-- nothing yet
SELECT count(*) FROM paws_sync.pull(:'browser');

-- walks with a cursor until there is nothing more, as a device would
CREATE TEMP TABLE pulled (page integer, cursor paws_sync.cursor, lane text, kind text,
	collection text, doc integer, revision bigint, deleted boolean, payload text, op integer, outcome paws_sync.outcome, code text, no bigint GENERATED ALWAYS AS IDENTITY);
CREATE FUNCTION pg_temp.walk(device paws_sync.device, begin_at paws_sync.cursor DEFAULT NULL, max_changes integer DEFAULT 500,
	max_bytes integer DEFAULT 1048576) RETURNS paws_sync.cursor LANGUAGE plpgsql AS
$$
DECLARE
	place paws_sync.cursor := begin_at;
BEGIN
	TRUNCATE pulled RESTART IDENTITY;
	FOR page IN 1 .. 1000 LOOP
		INSERT INTO pulled SELECT page, p.cursor, lane, kind, collection, t.no(doc_id), revision, deleted,
			left(t.text(payload), 10), t.no(op_id), outcome, code
		FROM paws_sync.pull(device, place, max_changes, max_bytes) p;
		EXIT WHEN NOT FOUND;
		SELECT p.cursor INTO place FROM pulled p ORDER BY no DESC LIMIT 1;
	END LOOP;
	RETURN place;
END
$$;

SELECT count(*) FROM paws_sync.push(:'phone', t.ops(
	t.op(1, 'safety_plan', 1, 0, 'call Sam'), t.op(2, 'mood', 2, 0, 'calm'), t.op(3, 'plan', 3, 0, 'walk'),
	t.op(4, 'mood', 4, 0, 'tired'), t.op(5, 'journal', 5, 0, 'slept')));
CALL t.wait_applied();
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(6, 'mood', 4, 1)));
CALL t.wait_applied();

-- a seed: what there is now, crisis first; what was deleted is of no use to a device that starts empty
SELECT pg_temp.walk(:'browser') AS place \gset
SELECT page, lane, kind, collection, doc, revision, deleted, payload, op, outcome FROM pulled ORDER BY no;

-- the device that made it all gets the same: it may have lost its own
SELECT lane, t.no(doc_id) AS doc, kind, t.text(payload) AS payload FROM paws_sync.pull(:'phone');

-- the feed: what changed since, the last state of each document once
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(
	t.op(11, 'mood', 2, 1, 'worried'), t.op(12, 'safety_plan', 1, 1, 'call Kim'), t.op(13, 'mood', 2, 2, 'better'),
	t.op(14, 'plan', 3, 1), t.op(15, 'mood', 15, 0, 'fine'), t.op(16, 'mood', 15, 9, 'refused')));
CALL t.wait_applied();
SELECT pg_temp.walk(:'browser', :'place') AS place2 \gset
SELECT page, lane, kind, collection, doc, revision, deleted, payload, op, outcome FROM pulled ORDER BY no;

-- the same cursor gives the same again: reading writes nothing
SELECT pg_temp.walk(:'browser', :'place')::text = :'place2' AS same;
BEGIN READ ONLY;
SELECT count(*) FROM paws_sync.pull(:'browser', :'place');
COMMIT;
SELECT count(*) AS nothing_new FROM paws_sync.pull(:'browser', :'place2');

-- a device's own operations come back as receipts, without payload
SELECT count(*) FROM paws_sync.push(:'browser', t.ops(
	t.op(21, 'mood', 15, 1, 'mine'), t.op(22, 'plan', 22, 7, 'refused'), t.op(23, 'safety_plan', 1, 2, 'call Alex')));
CALL t.wait_applied();
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(21, 'mood', 2, 3, 'theirs')));
CALL t.wait_applied();
SELECT pg_temp.walk(:'browser', :'place2') AS place3 \gset
SELECT lane, kind, collection, doc, revision, deleted, payload, op, outcome, code FROM pulled ORDER BY no;

-- the size of pages changes nothing but their number
SELECT pg_temp.walk(:'browser', :'place', max_changes => 1)::text = :'place3' AS same;
SELECT count(*) AS rows, max(page) AS pages FROM pulled;
SELECT pg_temp.walk(:'browser', :'place', max_changes => 3)::text = :'place3' AS same;
SELECT page, count(*) FROM pulled GROUP BY 1 ORDER BY 1;
SELECT pg_temp.walk(:'browser', :'place', max_bytes => 1)::text = :'place3' AS same;
SELECT count(*) FILTER (WHERE payload IS NOT NULL) AS payloads, max(page) >= count(payload) AS one_in_a_page FROM pulled;
SELECT pg_temp.walk(:'browser', max_changes => 1)::text = pg_temp.walk(:'browser')::text AS same;

-- any row may be the last that a device processed: going on from it gives what came after it
SELECT pg_temp.walk(:'browser', max_changes => 2) IS NOT NULL AS walked;
CREATE TEMP TABLE whole AS SELECT * FROM pulled;
SELECT w.no, (SELECT count(*) FROM paws_sync.pull(:'browser', w.cursor)) = (SELECT max(no) FROM whole) - w.no AS rest
FROM whole w ORDER BY no;

-- pages by bytes: a large document comes alone, and is never too large to come
SELECT count(*) FROM paws_sync.push(:'phone',
	(SELECT jsonb_agg(t.op(30 + n, 'upload', 30 + n, 0, repeat('x', 20000 * n)) ORDER BY n) FROM generate_series(1, 3) AS n));
CALL t.wait_applied();
SELECT pg_temp.walk(:'browser', :'place3', max_bytes => 30000) AS place4 \gset
SELECT page, doc, payload FROM pulled ORDER BY no;

-- another subject sees none of it, and a cursor of one is no good to the other
SELECT count(*) FROM paws_sync.pull(:'other');
SELECT count(*) FROM paws_sync.push(:'other', t.ops(t.op(1, 'mood', 2, 0, 'secret'), t.op(2, 'signal', 3, 0, 'help')));
CALL t.wait_applied();
SELECT pg_temp.walk(:'other') AS strange \gset
SELECT pg_temp.walk(:'browser', :'strange')::text = :'place4' AS same;
SELECT page, lane, kind, doc, payload, outcome, code FROM pulled ORDER BY no;
SELECT pg_temp.walk(:'other', :'place4')::text = :'strange' AS same;
SELECT page, lane, kind, doc, payload, outcome, code FROM pulled ORDER BY no;

-- a device of the same subject may go on where another was, as after a move to a new phone
SELECT count(*) FROM paws_sync.pull(:'phone', :'place4');

-- nor is one of another epoch
INSERT INTO paws_care.cursor_epoch VALUES (2);
SELECT lane, kind, doc_id, code FROM paws_sync.pull(:'browser', :'place4') WHERE kind = 'reset';
SELECT pg_temp.walk(:'browser', :'place4') AS place5 \gset
SELECT count(*) AS documents FROM pulled WHERE kind = 'change';
SELECT count(*) FROM paws_sync.pull(:'browser', :'place5');
DELETE FROM paws_care.cursor_epoch;

-- limits of a call
SELECT count(*) FROM paws_sync.pull(:'browser', max_changes => 0);
SELECT count(*) FROM paws_sync.pull(:'browser', max_changes => 10001);
SELECT count(*) FROM paws_sync.pull(:'browser', max_bytes => 0);
SELECT count(*) FROM paws_sync.pull(:'browser', max_bytes => 67108865);
SELECT count(*) FROM paws_sync.pull(:'browser', max_changes => 10000, max_bytes => 67108864);

-- the text form of a cursor is one, too
SELECT :'place4' ~ '^cur_[A-Za-z0-9_-]+$' AS form;
\set VERBOSITY terse
SELECT 'cur_'::paws_sync.cursor;
SELECT ''::paws_sync.cursor;
SELECT 'cur_AQAA'::paws_sync.cursor;
SELECT overlay(:'place4' PLACING CASE substr(:'place4', 8, 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM 8)::paws_sync.cursor;
SELECT (:'place4' || 'A')::paws_sync.cursor;
SELECT left(:'place4', -1)::paws_sync.cursor;
SELECT repeat('cur_', 1000000)::paws_sync.cursor;
