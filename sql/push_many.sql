-- push_many: push in columns.
\set SHOW_CONTEXT never
SELECT paws_sync.register_device(paws_sync.subject_for('push_many'), 'ios') AS phone \gset
SELECT paws_sync.register_device(paws_sync.subject_for('push_many'), 'web') AS browser \gset

SELECT item, t.no(op_id) AS op, outcome, revision, level, retry_after, code, receipt
FROM paws_sync.push_many(:'phone',
	op_ids => ARRAY[t.id(1), t.id(2), NULL, t.id(4), t.id(5), t.id(6), t.id(7), t.id(1), t.id(9), t.id(10)],
	collections => ARRAY['mood', 'safety_plan', 'mood', NULL, 'nothing', 'mood', 'mood', 'mood', 'mood', 'upload'],
	doc_ids => ARRAY[t.id(1), t.id(2), t.id(3), t.id(4), t.id(5), NULL, t.id(7), t.id(8), t.id(9), t.id(10)],
	base_revisions => ARRAY[0, 0, 0, 0, 0, 0, -1, 0, NULL, 0],
	payloads => ARRAY['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', NULL]::bytea[]);
CALL t.wait_applied();

-- the last array may be left out, and so may any of its elements
SELECT item, outcome, code FROM paws_sync.push_many(:'phone',
	ARRAY[t.id(11), t.id(12), t.id(13), t.id(14)], ARRAY['mood', 'mood', 'mood', 'safety_plan'],
	ARRAY[t.id(1), t.id(12), t.id(13), t.id(2)], ARRAY[1, 0, 0, 1], ARRAY[NULL, 'x', 'y', '']::bytea[], ARRAY[true, NULL, true, true]);
CALL t.wait_applied();
SELECT t.no(op_id) AS op, outcome, revision, code
FROM paws_sync.receipts(:'phone', (SELECT array_agg(t.id(n)) FROM generate_series(1, 14) AS n)) WHERE outcome IS NOT NULL;
SELECT lane, collection, t.no(doc_id) AS doc, revision, t.text(payload) AS payload FROM paws_sync.pull(:'browser');

-- nothing
SELECT count(*) FROM paws_sync.push_many(:'phone', '{}', '{}', '{}', '{}', '{}');

-- arrays that do not fit
SELECT * FROM paws_sync.push_many(:'phone', ARRAY[t.id(1), t.id(2)], ARRAY['mood'], ARRAY[t.id(1)], ARRAY[0], '{a}');
SELECT * FROM paws_sync.push_many(:'phone', ARRAY[t.id(1)], ARRAY['mood'], ARRAY[t.id(1)], ARRAY[0], '{a}', '{f,f}');
SELECT * FROM paws_sync.push_many(:'phone', ARRAY[[t.id(1)]], ARRAY['mood'], ARRAY[t.id(1)], ARRAY[0], '{a}');
SELECT * FROM paws_sync.push_many(:'phone', ARRAY[t.id(1)], ARRAY['mood'], ARRAY[t.id(1)], ARRAY[0], '{{a}}');

-- arrays need not begin at 1; payloads may be compressed or out of line
CREATE TEMP TABLE payloads (payload bytea);
INSERT INTO payloads SELECT convert_to(repeat('all work and no play ', n * 500), 'UTF8') FROM generate_series(1, 3) AS n;
ALTER TABLE payloads ALTER payload SET STORAGE EXTERNAL;
INSERT INTO payloads SELECT convert_to(repeat('all work and no play ', n * 500), 'UTF8') FROM generate_series(4, 6) AS n;
SELECT outcome, count(*) FROM paws_sync.push_many(:'phone',
	(SELECT array_agg(t.id(100 + n)) FROM generate_series(1, 6) AS n), '[7:12]={mood,mood,mood,mood,mood,mood}',
	(SELECT array_agg(t.id(100 + n)) FROM generate_series(1, 6) AS n), '{0,0,0,0,0,0}',
	(SELECT array_agg(payload) FROM payloads)) GROUP BY 1;
CALL t.wait_applied();
SELECT count(*) AS whole FROM paws_sync.pull(:'browser') JOIN payloads USING (payload);

-- a thousand at once
SELECT paws_sync.set_entitlement(paws_sync.subject_for('push_many'), 'premium');
SELECT outcome, level, count(*), min(item), max(item) FROM paws_sync.push_many(:'phone',
	(SELECT array_agg(t.id(n)) FROM generate_series(1001, 2000) AS n), (SELECT array_agg('trace'::text) FROM generate_series(1, 1000)),
	(SELECT array_agg(t.id(n)) FROM generate_series(1001, 2000) AS n), (SELECT array_agg(0) FROM generate_series(1, 1000)),
	(SELECT array_agg('x'::bytea) FROM generate_series(1, 1000))) GROUP BY 1, 2;
CALL t.wait_applied();
SELECT outcome, revision, count(*)
FROM paws_sync.receipts(:'phone', (SELECT array_agg(t.id(n)) FROM generate_series(1001, 2000) AS n)) GROUP BY 1, 2;
