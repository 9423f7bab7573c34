-- Whoever can write the tables, but has no keys: what is moved, put back or changed does not open. The device gets
-- a row "unreadable" with one and the same code, or the call fails with PW003; everything else is delivered.
\set SHOW_CONTEXT never
SELECT paws_sync.define_collection(name, class::paws_sync.class, 'branch', sealing)
FROM (VALUES ('w_standard', 'bulk', 'standard'), ('w_aes', 'bulk', 'aes'), ('w_layered', 'bulk', 'layered'),
	('w_other', 'bulk', 'layered'), ('w_crisis', 'safety', NULL), ('w_signal', 'emergency', NULL)) v (name, class, sealing);
SELECT paws_sync.subject_for('swap one') AS one \gset
SELECT paws_sync.subject_for('swap two') AS two \gset
SELECT paws_sync.register_device(:'one', 'ios') AS one_phone \gset
SELECT paws_sync.register_device(:'one', 'web') AS one_web \gset
SELECT paws_sync.register_device(:'two', 'ios') AS two_phone \gset
SELECT paws_sync.register_device(:'two', 'web') AS two_web \gset
SELECT subject_no AS n1 FROM paws_registry.subject WHERE subject::text = :'one' \gset
SELECT subject_no AS n2 FROM paws_registry.subject WHERE subject::text = :'two' \gset

-- both subjects have the same documents, from operations of the same ids; 11 to 19 have a second revision, and a
-- branch that knew the first one only
CREATE TEMP TABLE made AS SELECT 10 * c + d AS doc, name
FROM (VALUES (1, 'w_layered'), (2, 'w_standard'), (3, 'w_aes'), (4, 'w_other'), (5, 'w_crisis'), (6, 'w_signal')) v (c, name), generate_series(1, 2) d;
CREATE PROCEDURE t.make(phone paws_sync.device) LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM FROM paws_sync.push(phone, (SELECT jsonb_agg(t.op(doc, name, doc, 0, 'first ' || doc)) FROM made));
	CALL t.wait_applied();
	INSERT INTO old SELECT * FROM (SELECT * FROM paws_care.document UNION ALL SELECT * FROM paws_crisis.document) d
	WHERE subject_no = (SELECT subject_no FROM paws_registry.device WHERE device::text = phone::text);
	PERFORM FROM paws_sync.push(phone, (SELECT jsonb_agg(t.op(100 + doc, name, doc, 1, 'second ' || doc)) FROM made WHERE doc % 10 = 1));
	CALL t.wait_applied();
	PERFORM FROM paws_sync.push(phone, (SELECT jsonb_agg(t.op(200 + doc, name, doc, 1, 'branch ' || doc)) FROM made WHERE doc % 10 = 1));
	CALL t.wait_applied();
END
$$;
CREATE TEMP TABLE old AS SELECT * FROM paws_care.document LIMIT 0;
CALL t.make(:'one_phone');
CALL t.make(:'two_phone');
SELECT t.suite(envelope), count(*) FROM (SELECT envelope FROM paws_care.document WHERE subject_no IN (:n1, :n2)
	UNION ALL SELECT envelope FROM paws_crisis.document WHERE subject_no IN (:n1, :n2)) d GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM paws_care.branch WHERE subject_no IN (:n1, :n2);
SELECT count(*) FROM paws_crisis.branch WHERE subject_no IN (:n1, :n2);

-- what both devices get after a change to the tables, which is then undone: how many documents opened as they were,
-- which did not, and whether any came with another text
CREATE FUNCTION pg_temp.pulled() RETURNS text LANGUAGE sql AS
$$
	SELECT concat_ws(', ', count(*) FILTER (WHERE right_one) || ' opened',
		'unreadable ' || string_agg(lane || ' ' || who || ' ' || doc, ' ' ORDER BY lane, who, doc) FILTER (WHERE kind = 'unreadable' AND code = 'envelope_rejected' AND text IS NULL),
		'WRONG ' || string_agg(concat_ws(' ', who, doc, kind, code, deleted, text), '; ' ORDER BY who, doc)
			FILTER (WHERE NOT right_one AND (kind, code, text IS NULL) IS DISTINCT FROM ('unreadable', 'envelope_rejected', true)))
	FROM (SELECT p.*, kind = 'change' AND text IS NOT DISTINCT FROM CASE doc % 10 WHEN 1 THEN 'second ' ELSE 'first ' END || doc AS right_one
		FROM (SELECT 'one' AS who, lane, kind, code, deleted, t.no(doc_id) AS doc, t.text(payload) AS text
				FROM paws_sync.pull((SELECT device FROM paws_sync.devices(paws_sync.subject_for('swap one')) WHERE platform = 'web'))
			UNION ALL SELECT 'two', lane, kind, code, deleted, t.no(doc_id), t.text(payload)
				FROM paws_sync.pull((SELECT device FROM paws_sync.devices(paws_sync.subject_for('swap two')) WHERE platform = 'web'))) p) r
$$;
CREATE FUNCTION pg_temp.after(change text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	changed bigint;
BEGIN
	EXECUTE change;
	GET DIAGNOSTICS changed = ROW_COUNT;
	RAISE EXCEPTION USING ERRCODE = 'ZZ001', MESSAGE = changed || ' changed, ' || pg_temp.pulled();
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	RETURN SQLERRM;
WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT pg_temp.pulled();

-- rows: :from are columns that doc b gets from doc a
CREATE FUNCTION pg_temp.moved(from_no bigint, a integer, to_no bigint, b integer, columns text) RETURNS text LANGUAGE sql AS
$$
	SELECT pg_temp.after(format('UPDATE %s d SET (%s) = (SELECT %s FROM %s s WHERE s.subject_no = %s AND s.doc_id = %L) WHERE d.subject_no = %s AND d.doc_id = %L',
		CASE WHEN b > 50 THEN 'paws_crisis.document' ELSE 'paws_care.document' END, columns, columns,
		CASE WHEN a > 50 THEN 'paws_crisis.document' ELSE 'paws_care.document' END, from_no, t.id(a), to_no, t.id(b)))
$$;
CREATE TEMP TABLE piece AS SELECT * FROM unnest(ARRAY['envelope, deleted', 'seal, deleted', 'envelope, seal', 'envelope, seal, op_id, base_revision',
	'envelope, seal, op_id, base_revision, revision, collection, changed_at, position']) WITH ORDINALITY AS p (columns, n);
SELECT what, columns, pg_temp.moved(a_no, a, b_no, b, columns) FROM (VALUES
	(1, 'between documents', :n1, 12, :n1, 22), (2, 'of one collection', :n1, 12, :n1, 11), (3, 'of one suite', :n1, 12, :n1, 42),
	(4, 'of the crisis lane', :n1, 52, :n1, 62), (5, 'of two subjects', :n1, 12, :n2, 12), (6, 'of two subjects, crisis', :n1, 52, :n2, 52),
	(7, 'from care to crisis', :n1, 12, :n1, 52), (8, 'from crisis to care', :n1, 52, :n1, 12)) v (n, what, a_no, a, b_no, b), piece p ORDER BY v.n, p.n;

-- the document itself: to another subject, another id, another lane
SELECT pg_temp.after(format('UPDATE paws_care.document SET subject_no = %s WHERE subject_no = %s AND doc_id = %L', :n2, :n1, t.id(99))) AS nothing;
SELECT what, pg_temp.after(change) FROM (VALUES
	(1, 'another subject', format('WITH gone AS (DELETE FROM paws_care.document WHERE subject_no = %s AND doc_id = %L)
		UPDATE paws_care.document SET subject_no = %s, doc_id = %L WHERE subject_no = %s AND doc_id = %L', :n2, t.id(12), :n2, t.id(13), :n1, t.id(12))),
	(2, 'another id', format('UPDATE paws_care.document SET doc_id = %L WHERE subject_no = %s AND doc_id = %L', t.id(19), :n1, t.id(12))),
	(3, 'another lane', format('INSERT INTO paws_crisis.document SELECT * FROM paws_care.document WHERE subject_no = %s AND doc_id = %L', :n1, t.id(12))),
	(4, 'another lane', format('INSERT INTO paws_care.document SELECT * FROM paws_crisis.document WHERE subject_no = %s AND doc_id = %L', :n1, t.id(52)))) v (n, what, change) ORDER BY n;

-- an old revision put back, with its own seal, with the new one, with none; a branch in place of the document
CREATE FUNCTION pg_temp.put_back(place text, doc integer, columns text, seal text) RETURNS text LANGUAGE sql AS
$$
	SELECT pg_temp.after(format('UPDATE %s d SET (%s) = (SELECT %s FROM %s o WHERE o.subject_no = d.subject_no AND o.doc_id = d.doc_id)%s
		WHERE d.subject_no = (SELECT min(subject_no) FROM old) AND d.doc_id = %L',
		CASE WHEN doc > 50 THEN 'paws_crisis.document' ELSE 'paws_care.document' END, columns, columns,
		CASE WHEN place = 'old' THEN 'old' WHEN doc > 50 THEN 'paws_crisis.branch' ELSE 'paws_care.branch' END, seal, t.id(doc)))
$$;
SELECT place, doc, seal, pg_temp.put_back(place, doc, columns || CASE WHEN place = 'old' AND seal = 'its own' THEN ', seal' ELSE '' END,
	CASE seal WHEN 'none' THEN ', seal = NULL' ELSE '' END)
FROM (VALUES ('old'), ('branch')) p (place), (VALUES ('its own'), ('the new one'), ('none')) s (seal), unnest('{11,21,31,51,61}'::integer[]) doc,
	(VALUES ('envelope, op_id, base_revision')) c (columns)
WHERE place = 'old' OR seal <> 'its own' ORDER BY place, doc, seal;

-- The tables refuse what has not even the form of an envelope or a seal. Whoever writes files gets past that.
SELECT pg_get_constraintdef(oid) AS envelope_form FROM pg_constraint WHERE conname = 'envelope_form' \gset
SELECT pg_get_constraintdef(oid) AS seal_form FROM pg_constraint WHERE conname = 'seal_form' \gset
UPDATE paws_care.document SET envelope = '' WHERE subject_no = :n1;
UPDATE paws_crisis.document SET seal = '' WHERE subject_no = :n1;
ALTER DOMAIN paws_registry.envelope DROP CONSTRAINT envelope_form;
ALTER DOMAIN paws_registry.seal DROP CONSTRAINT seal_form;

-- what stands beside an envelope
CREATE FUNCTION pg_temp.edited(doc integer, edit text) RETURNS text LANGUAGE sql AS
$$
	SELECT pg_temp.after(format('UPDATE %s SET %s WHERE subject_no = (SELECT min(subject_no) FROM old) AND doc_id = %L',
		CASE WHEN doc > 50 THEN 'paws_crisis.document' ELSE 'paws_care.document' END, edit, t.id(doc)))
$$;
SELECT edit, doc, pg_temp.edited(doc, edit) FROM unnest(ARRAY['revision = revision + 1', 'revision = 9223372036854775807', 'base_revision = base_revision + 1',
	'op_id = gen_random_uuid()', 'deleted = true', 'collection = (SELECT collection_no FROM paws_registry.collection WHERE name = ''w_other'') + 0',
	'collection = 32000', 'seal = NULL', 'seal = ''''', 'seal = substring(seal, 1, 15)', 'seal = seal || ''\x00''', 'seal = set_byte(seal, 15, get_byte(seal, 15) # 1)',
	'seal = set_byte(seal, 0, get_byte(seal, 0) # 128)', 'envelope = NULL', 'envelope = ''''', 'envelope = ''PW''',
	'envelope = substring(envelope, 1, octet_length(envelope) - 1)', 'envelope = substring(envelope, 1, octet_length(envelope) - 16)',
	'envelope = envelope || ''\x00''', 'envelope = envelope || envelope', 'envelope = substring(envelope, 2)',
	'envelope = substring(envelope, 1, 32)', 'envelope = repeat(''x'', 1000000)::bytea']) WITH ORDINALITY e (edit, n), unnest('{12,52}'::integer[]) doc ORDER BY n, doc;
SELECT pg_temp.pulled();

-- the header says another suite, purpose, epoch, version, key or outer key
SELECT doc, count(*), pg_temp.edited(doc, format('envelope = set_byte(envelope, %s, %s)', at,
	CASE WHEN value < 0 THEN format('get_byte(envelope, %s) # 1', at) ELSE value::text END)) AS answer
FROM (SELECT 3 AS at, unnest('{0,1,2,3,4,17,18,19,20,255}'::integer[]) AS value UNION ALL SELECT 4, unnest('{0,1,2,3}'::integer[]) UNION ALL SELECT 2, 2
	UNION ALL SELECT 5, 0 UNION ALL SELECT 5, 3 UNION ALL SELECT 6, 1 UNION ALL SELECT 11, 255 UNION ALL SELECT 15, 255 UNION ALL SELECT 31, -1 UNION ALL SELECT 35, 2) v,
	unnest('{12,22,32,52}'::integer[]) doc
WHERE NOT (at = 3 AND value = CASE doc WHEN 12 THEN 18 WHEN 22 THEN 1 WHEN 32 THEN 2 ELSE 19 END OR at = 4 AND value = CASE doc WHEN 52 THEN 2 ELSE 1 END)
GROUP BY doc, answer ORDER BY doc, answer;

-- one bit of each byte, of each suite; and lengths that are shorter
SELECT paws_sync.subject_for('swap three') AS three \gset
SELECT paws_sync.register_device(:'three', 'ios') AS three_phone \gset
SELECT paws_sync.register_device(:'three', 'web') AS three_web \gset
SELECT count(*) FROM paws_sync.push(:'three_phone', (SELECT jsonb_agg(t.op(doc, name, doc, 0, 'first ' || doc)) FROM made WHERE doc IN (12, 22, 32, 52)));
CALL t.wait_applied();
CREATE FUNCTION pg_temp.count_opened(who paws_sync.device, no bigint, doc integer, edit text, every integer, OUT tried bigint, OUT answers text) LANGUAGE plpgsql AS
$$
DECLARE
	place text := CASE WHEN doc > 50 THEN 'paws_crisis.document' ELSE 'paws_care.document' END;
	size integer;
	answer text;
	at integer := 0;
BEGIN
	EXECUTE format('SELECT octet_length(envelope) FROM %s WHERE subject_no = $1 AND doc_id = $2', place) INTO size USING no, t.id(doc);
	tried := 0;
	answers := '';
	WHILE at < size LOOP
		BEGIN
			EXECUTE format('UPDATE %s SET envelope = %s WHERE subject_no = $1 AND doc_id = $2', place, format(edit, at, at % 8)) USING no, t.id(doc);
			SELECT string_agg(concat_ws(' ', kind, code, t.text(payload)), ', ' ORDER BY kind, doc_id) INTO answer FROM paws_sync.pull(who);
			RAISE EXCEPTION SQLSTATE 'ZZ001';
		EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
			answers := CASE WHEN answers IN ('', answer) THEN answer ELSE left(answers || ' / ' || answer, 1000) END;
		END;
		tried := tried + 1;
		at := at + every;
	END LOOP;
END
$$;
SELECT subject_no AS n3 FROM paws_registry.subject WHERE subject::text = :'three' \gset
SELECT doc, f.* FROM unnest('{12,22,32,52}'::integer[]) doc,
	pg_temp.count_opened(:'three_web', :n3, doc, 'set_byte(envelope, %1$s, get_byte(envelope, %1$s) # (1 << %2$s))', 1) f ORDER BY doc;
SELECT doc, f.* FROM unnest('{12,22,32,52}'::integer[]) doc, pg_temp.count_opened(:'three_web', :n3, doc, 'substring(envelope, 1, %1$s)', 5) f ORDER BY doc;
SELECT kind, t.text(payload) AS payload FROM paws_sync.pull(:'three_web') ORDER BY doc_id;
SELECT pg_temp.pulled();

-- one text, whatever it was: none of it tells what was wrong
BEGIN;
UPDATE paws_care.document SET seal = seal || '\x00' WHERE subject_no = :n1 AND doc_id = t.id(12);
UPDATE paws_care.document SET envelope = '' WHERE subject_no = :n1 AND doc_id = t.id(22);
UPDATE paws_care.document SET base_revision = 7 WHERE subject_no = :n1 AND doc_id = t.id(32);
UPDATE paws_crisis.document SET envelope = set_byte(envelope, 70, get_byte(envelope, 70) # 1) WHERE subject_no = :n1 AND doc_id = t.id(52);
SELECT DISTINCT kind, outcome, code, payload FROM paws_sync.pull(:'one_web') WHERE kind = 'unreadable';
ROLLBACK;

ALTER DOMAIN paws_registry.envelope ADD CONSTRAINT envelope_form :envelope_form;
ALTER DOMAIN paws_registry.seal ADD CONSTRAINT seal_form :seal_form;

-- all of a row put back, the number of its revision too, is a document as it once was: nothing within the row tells,
-- and who begins anew is given it. The feed knows of the later one, and gives it to nobody who follows.
SELECT (array_agg(cursor))[count(*)] AS here FROM paws_sync.pull(:'one_web') \gset
SELECT count(*) FROM paws_sync.push(:'one_phone', t.ops(t.op(311, 'w_layered', 11, 2, 'third 11')));
CALL t.wait_applied();
BEGIN;
UPDATE paws_care.document d SET (envelope, seal, op_id, base_revision, revision, position, changed_at)
	= (SELECT envelope, seal, op_id, base_revision, revision, position, changed_at FROM old o WHERE o.subject_no = d.subject_no AND o.doc_id = d.doc_id)
WHERE subject_no = :n1 AND doc_id = t.id(11);
SELECT revision, t.text(payload) FROM paws_sync.pull(:'one_web') WHERE doc_id = t.id(11);
SELECT kind, revision FROM paws_sync.pull(:'one_web', :'here');
SELECT d.revision, f.revision AS newest FROM paws_care.document d JOIN (SELECT doc_id, max(revision) AS revision FROM paws_care.feed
	WHERE subject_no = :n1 AND outcome = array_position(enum_range(NULL::paws_sync.outcome), 'applied') GROUP BY doc_id) f USING (doc_id) WHERE subject_no = :n1 AND d.revision <> f.revision;
ROLLBACK;
SELECT kind, revision FROM paws_sync.pull(:'one_web', :'here');

-- keys: each in a session that has none in memory. Swapped between subjects, relabelled, changed: nothing opens,
-- nothing is sealed under them
CREATE FUNCTION t.key_case(change text, phone paws_sync.device, web paws_sync.device) RETURNS TABLE (what text, answer text) LANGUAGE plpgsql AS
$$
DECLARE
	call text;
	op integer := 0;
BEGIN
	EXECUTE change;
	FOREACH call IN ARRAY ARRAY['pull', 'push', 'push crisis', 'pull crisis'] LOOP
		what := call;
		op := op + 1;
		BEGIN
			CASE call
			WHEN 'pull' THEN
				SELECT string_agg(DISTINCT concat_ws(' ', lane, kind, code), ', ') INTO answer FROM paws_sync.pull(web);
			WHEN 'push' THEN
				SELECT outcome INTO answer FROM paws_sync.push(phone, t.ops(t.op(900 + op, 'w_layered', 900 + op, 0, 'late')));
			WHEN 'push crisis' THEN
				SELECT concat_ws(' ', outcome, receipt) INTO answer FROM paws_sync.push(phone, t.ops(t.op(900 + op, 'w_crisis', 900 + op, 0, 'late')));
			WHEN 'pull crisis' THEN
				SELECT string_agg(DISTINCT concat_ws(' ', kind, code, CASE WHEN kind = 'change' THEN t.text(payload) END), ', ') INTO answer
				FROM paws_sync.pull(web) WHERE lane = 'crisis';
			END CASE;
		EXCEPTION WHEN OTHERS THEN
			answer := SQLSTATE || ' ' || SQLERRM;
		END;
		RETURN NEXT;
	END LOOP;
END
$$;
-- as it is
\c
BEGIN;
\set change 'SELECT'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- care: keys of two subjects swapped
\c
BEGIN;
\set change 'UPDATE paws_vault.data_key SET subject_no = -1 WHERE subject_no = %1$s; UPDATE paws_vault.data_key SET subject_no = %1$s WHERE subject_no = %2$s; UPDATE paws_vault.data_key SET subject_no = %2$s WHERE subject_no = -1'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- their wrapped forms swapped
\c
BEGIN;
\set change 'UPDATE paws_vault.data_key d SET wrapped = o.wrapped FROM paws_vault.data_key o WHERE d.subject_no + o.subject_no = %1$s + %2$s AND d.subject_no IN (%1$s, %2$s)'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- relabelled as a later version
\c
BEGIN;
\set change 'UPDATE paws_vault.data_key SET version = version + 1 WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- relabelled as of an epoch that is not there
\c
BEGIN;
\set change 'UPDATE paws_vault.data_key SET kek_epoch = 2000000000 WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- as of another epoch that is
\c
BEGIN;
\set change 'UPDATE paws_vault.data_key SET kek_epoch = (SELECT number FROM paws_sync.keyring() WHERE kind = ''epoch'' AND root = ''crisis'' AND own ORDER BY number LIMIT 1) + 1 WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- under another id
\c
BEGIN;
\set change 'UPDATE paws_vault.data_key SET key_id = gen_random_uuid() WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- with a bit changed
\c
BEGIN;
\set change 'UPDATE paws_vault.data_key SET wrapped = set_byte(wrapped, 72, get_byte(wrapped, 72) # 1) WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- of another form
\c
BEGIN;
\set change 'UPDATE paws_vault.data_key SET wrapped = set_byte(wrapped, 0, 1) WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- gone
\c
BEGIN;
\set change 'DELETE FROM paws_vault.data_key WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- a crisis key in its place
\c
BEGIN;
\set change 'UPDATE paws_vault.data_key SET wrapped = s.wrapped, key_id = s.key_id FROM paws_crisis.subject_key s WHERE s.subject_no = data_key.subject_no AND s.subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- crisis: keys of two subjects swapped
\c
BEGIN;
\set change 'UPDATE paws_crisis.subject_key SET subject_no = -1 WHERE subject_no = %1$s; UPDATE paws_crisis.subject_key SET subject_no = %1$s WHERE subject_no = %2$s; UPDATE paws_crisis.subject_key SET subject_no = %2$s WHERE subject_no = -1'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- their wrapped halves swapped
\c
BEGIN;
\set change 'UPDATE paws_crisis.subject_key d SET wrapped = o.wrapped FROM paws_crisis.subject_key o WHERE d.subject_no + o.subject_no = %1$s + %2$s AND d.subject_no IN (%1$s, %2$s)'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- another public half
\c
BEGIN;
\set change 'UPDATE paws_crisis.subject_key SET public_key = decode(repeat(''ab'', 32), ''hex'') WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
SELECT version, public_key = decode(repeat('ab', 32), 'hex') OR public_key = (SELECT public_key FROM paws_crisis.subject_key WHERE subject_no = :n2) AS foreign_half,
	count(d.*) AS documents FROM paws_crisis.subject_key k LEFT JOIN paws_crisis.document d ON d.subject_no = k.subject_no AND substring(d.envelope, 17, 16) = uuid_send(k.key_id)
WHERE k.subject_no = :n1 GROUP BY k.version, k.public_key ORDER BY k.version;
ROLLBACK;
-- the public half of somebody else
\c
BEGIN;
\set change 'UPDATE paws_crisis.subject_key SET public_key = (SELECT public_key FROM paws_crisis.subject_key WHERE subject_no = %2$s) WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
SELECT version, public_key = decode(repeat('ab', 32), 'hex') OR public_key = (SELECT public_key FROM paws_crisis.subject_key WHERE subject_no = :n2) AS foreign_half,
	count(d.*) AS documents FROM paws_crisis.subject_key k LEFT JOIN paws_crisis.document d ON d.subject_no = k.subject_no AND substring(d.envelope, 17, 16) = uuid_send(k.key_id)
WHERE k.subject_no = :n1 GROUP BY k.version, k.public_key ORDER BY k.version;
ROLLBACK;
-- a public half that is none
\c
BEGIN;
\set change 'UPDATE paws_crisis.subject_key SET public_key = decode(repeat(''00'', 32), ''hex'') WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- a later key of somebody's own
\c
BEGIN;
\set change 'INSERT INTO paws_crisis.subject_key (key_id, subject_no, version, kek_epoch, public_key, wrapped) SELECT gen_random_uuid(), %1$s, 7, kek_epoch, decode(repeat(''ab'', 32), ''hex''), wrapped FROM paws_crisis.subject_key WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
SELECT version, public_key = decode(repeat('ab', 32), 'hex') OR public_key = (SELECT public_key FROM paws_crisis.subject_key WHERE subject_no = :n2) AS foreign_half,
	count(d.*) AS documents FROM paws_crisis.subject_key k LEFT JOIN paws_crisis.document d ON d.subject_no = k.subject_no AND substring(d.envelope, 17, 16) = uuid_send(k.key_id)
WHERE k.subject_no = :n1 GROUP BY k.version, k.public_key ORDER BY k.version;
ROLLBACK;
-- relabelled as of an epoch that is not there
\c
BEGIN;
\set change 'UPDATE paws_crisis.subject_key SET kek_epoch = 2000000000 WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- gone
\c
BEGIN;
\set change 'DELETE FROM paws_crisis.subject_key WHERE subject_no = %1$s'
SELECT * FROM t.key_case(format(:'change', :n1, :n2), :'one_phone', :'one_web');
ROLLBACK;
-- and all is readable as before
\c
SELECT kind, code, count(*) FROM paws_sync.pull(:'one_web') GROUP BY kind, code;
SELECT kind, code, count(*) FROM paws_sync.pull(:'two_web') GROUP BY kind, code;
