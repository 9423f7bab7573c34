-- The crisis lane's own log: an audit row for each change, in its transaction, of numbers, pseudonyms and digests alone.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TEMP VIEW audited AS SELECT o.name AS operation, b.name AS object, c.name AS class, r.name AS result, a.number, a.keyed,
		a.subject IS NOT NULL AS subject, a.before IS NOT NULL AS before, a.after IS NOT NULL AS after
	FROM paws_crisis.audit a JOIN paws_sync.vocabulary() o ON o.kind = 'audit_operation' AND o.code = a.operation
	JOIN paws_sync.vocabulary() b ON b.kind = 'audit_object' AND b.code = a.object
	LEFT JOIN paws_sync.vocabulary() c ON c.kind = 'class' AND c.code = a.class
	LEFT JOIN paws_sync.vocabulary() r ON r.kind = 'outcome' AND r.code = a.result
	WHERE a.xact > current_setting('t.begun')::bigint ORDER BY a.xact, a.chain, a.place;
CREATE TEMP VIEW verified AS SELECT rows - keyed - late - unkeyed - wrong AS others, late, unkeyed, wrong, doubled, missing, not_written FROM paws_sync.verify_crisis_audit();
SELECT paws_sync.subject_for('lane') AS subject, paws_sync.subject_for('lane 2') AS other \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS phone, paws_sync.register_device(:'other', 'ios') AS foreign_phone \gset

-- what the tests before this one left is whole
SELECT * FROM verified;
SELECT set_config('t.begun', pg_current_xact_id()::text, false) AS begun \gset

-- each change has a row; repeats, and what never was a change, have none
SELECT outcome, receipt FROM paws_sync.push_crisis(:'phone', t.ops(t.op(1, 'safety_plan', 1, 0, 'call Sam'), t.op(2, 'signal', 2, 0, 'help'), t.op(3, 'mood', 3, 0, 'x')));
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(1, 'safety_plan', 1, 0, 'call Sam')));
SELECT outcome, receipt FROM paws_sync.push(:'phone', t.ops(t.op(4, 'safety_plan', 1, 0, 'stale'), t.op(5, 'safety_plan', 1, 9, 'ahead'), t.op(6, 'mood', 6, 0, 'x')));
SELECT outcome, receipt FROM paws_sync.push_many(:'phone', ARRAY[t.id(7)], '{safety_plan}', ARRAY[t.id(1)], '{2}', '{NULL}', '{true}');
SELECT count(*) FROM paws_sync.push_crisis(:'phone', '[]');
SELECT * FROM audited;

-- reading writes none
SELECT count(*) FROM paws_sync.pull_crisis(:'phone');
SELECT count(*) > 0 AS told FROM paws_sync.crisis_bundle(:'phone');
SELECT count(*) FROM audited;

-- a person has one pseudonym in a month, another person another; neither has a byte of a token in it
SELECT outcome FROM paws_sync.push_crisis(:'foreign_phone', t.ops(t.op(8, 'signal', 8, 0, 'help')));
SELECT count(DISTINCT actor) AS actors, count(DISTINCT subject) AS subjects FROM paws_crisis.audit WHERE xact > :begun;
SELECT count(*) AS tokens FROM paws_crisis.audit a, paws_registry.subject s
WHERE position(substr(uuid_send(a.subject), 1, 8) IN decode(translate(substr(s.subject::text, 5), '-_', '+/'), 'base64')) > 0;
-- the same content of the same document has another digest each time, and for another person
SELECT count(*) = count(DISTINCT after) AS different FROM paws_crisis.audit WHERE xact > :begun;
-- times are as coarse as all that the lane stores
SELECT count(*) FROM paws_crisis.audit WHERE at <> date_trunc('second', at);

-- what is rolled back has none, and leaves no gap behind that would look like a row that was taken out
BEGIN;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(11, 'safety_plan', 11, 0, 'undone')));
ROLLBACK;
BEGIN;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(12, 'safety_plan', 12, 0, 'kept')));
SAVEPOINT s;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(13, 'safety_plan', 13, 0, 'undone')));
ROLLBACK TO s;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(14, 'safety_plan', 14, 0, 'kept too')));
SELECT count(*) AS rows FROM paws_crisis.audit WHERE xact = pg_current_xact_id()::text::bigint;
COMMIT;
SELECT * FROM verified;
-- more than a chain holds, in one transaction
SELECT count(*) FILTER (WHERE receipt = 'applied') AS applied FROM paws_sync.push_many(:'foreign_phone', ARRAY(SELECT t.id(20000 + n) FROM generate_series(1, 5000) n),
	array_fill('signal'::text, ARRAY[5000]), ARRAY(SELECT t.id(20000 + n) FROM generate_series(1, 5000) n), array_fill(0::bigint, ARRAY[5000]), array_fill('\x78'::bytea, ARRAY[5000]));
SELECT max(place), count(DISTINCT chain) > 1 AS chains FROM paws_crisis.audit WHERE xact = (SELECT max(xact) FROM paws_crisis.audit);
SELECT * FROM verified;

-- Whatever somebody does to what was written shows, each on its own.
CREATE FUNCTION pg_temp.after(what text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	found record;
BEGIN
	EXECUTE what;
	SELECT * INTO found FROM verified;
	RAISE EXCEPTION 'undo' USING ERRCODE = 'ZZ001', DETAIL = concat_ws(' ', 'unkeyed', found.unkeyed, 'wrong', found.wrong, 'doubled', found.doubled, 'missing', found.missing, 'not_written', found.not_written);
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN
	GET STACKED DIAGNOSTICS what = PG_EXCEPTION_DETAIL;
	RETURN what;
END
$$;
SELECT ctid AS one, chain FROM paws_crisis.audit WHERE place = 4000 ORDER BY xact DESC LIMIT 1 \gset
SELECT column_name, pg_temp.after(format('UPDATE paws_crisis.audit SET %I = %s WHERE ctid = %L', column_name, value, :'one')) FROM (VALUES
	('xact', 'xact + 1'), ('number', 'number + 1'), ('at', 'at + interval ''1 second'''), ('operation', '2'), ('object', '2'), ('class', '2'), ('result', '4'),
	('actor', 'gen_random_uuid()'), ('subject', 'NULL'), ('subject', 'gen_random_uuid()'), ('before', 'after'), ('after', 'NULL'), ('after', 'mac'), ('mac', 'after'), ('mac', 'NULL')) x (column_name, value);
SELECT pg_temp.after(format('DELETE FROM paws_crisis.audit WHERE ctid = %L', :'one')) AS deleted;
SELECT pg_temp.after(format('DELETE FROM paws_crisis.audit WHERE chain = %L AND place BETWEEN 0 AND 9', :'chain')) AS beginning_deleted;
SELECT pg_temp.after(format('INSERT INTO paws_crisis.audit SELECT * FROM paws_crisis.audit WHERE ctid = %L', :'one')) AS repeated;
SELECT pg_temp.after(format('UPDATE paws_crisis.audit SET place = CASE place WHEN 4000 THEN 4001 ELSE 4000 END WHERE chain = %L AND place IN (4000, 4001)', :'chain')) AS swapped;
SELECT pg_temp.after(format('UPDATE paws_crisis.audit SET chain = 1, place = 0 WHERE ctid = %L', :'one')) AS moved;
SELECT pg_temp.after('INSERT INTO paws_crisis.audit (xact, chain, number, at, place, operation, object, class, result, keyed, actor, after, mac)
	SELECT 1, 7, 1, at, 0, operation, object, class, result, 1, actor, after, mac FROM paws_crisis.audit WHERE place = 0 LIMIT 1') AS made_up;
SELECT pg_temp.after(format('UPDATE paws_crisis.audit SET place = 2147483647 WHERE ctid = %L', :'one')) AS far_place;
SELECT pg_temp.after(format('UPDATE paws_crisis.audit SET place = -1 WHERE ctid = %L', :'one')) AS no_place;
SELECT pg_temp.after('UPDATE paws_crisis.audit SET keyed = 2') AS keyed;
SELECT * FROM verified;

-- A table that cannot be written to costs nobody anything but the row; the next one tells how many.
BEGIN;
ALTER TABLE paws_crisis.audit RENAME TO aside;
SELECT outcome, receipt FROM paws_sync.push_crisis(:'phone', t.ops(t.op(31, 'signal', 31, 0, 'help'), t.op(32, 'signal', 32, 0, 'help')));
SAVEPOINT s;
SELECT outcome, receipt FROM paws_sync.push_crisis(:'phone', t.ops(t.op(33, 'signal', 33, 0, 'undone')));
ROLLBACK TO s;
ALTER TABLE paws_crisis.aside RENAME TO audit;
COMMIT;
SELECT not_written FROM verified;
BEGIN;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(34, 'signal', 34, 0, 'undone')));
SELECT not_written FROM verified;
ROLLBACK;
SELECT not_written FROM verified;
SELECT set_config('t.begun', pg_current_xact_id()::text, false) IS NOT NULL AS begun;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(35, 'signal', 35, 0, 'help')));
SELECT * FROM audited;
SELECT * FROM verified;

-- forgetting is the last row about a person; the salt is gone with the person, the rows stay and verify
SELECT set_config('t.begun', pg_current_xact_id()::text, false) IS NOT NULL AS begun;
SELECT keys FROM paws_sync.forget(:'other');
SELECT * FROM audited;
SELECT count(*) AS salts FROM paws_registry.subject WHERE subject::text = :'other';
SELECT * FROM verified;

-- The lane's time: no setting of ours lets others take more of it.
SELECT name, max_val, unit FROM pg_settings WHERE name = 'paws_sync.batch_time';
ALTER SYSTEM SET paws_sync.batch_time = 21;
