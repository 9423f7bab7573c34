-- The functions of the crisis lane alone: push_crisis, pull_crisis, crisis_bundle, and the resources of operators.
\set SHOW_CONTEXT never
SELECT paws_sync.subject_for('crisis_api') AS subject \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS phone, paws_sync.register_device(:'subject', 'web') AS browser \gset
SELECT paws_sync.register_device(:'subject', 'wearable') AS watch, paws_sync.register_device(:'subject', 'android') AS lost \gset
SELECT paws_sync.revoke_device(:'lost');
SELECT platform, crisis_only, revoked_at IS NOT NULL AS revoked FROM paws_sync.devices(:'subject');

-- Collections of the crisis lane alone. What is wrong with an item is its answer.
SELECT item, outcome, revision, level, retry_after, code, receipt FROM paws_sync.push_crisis(:'phone', t.ops(
	t.op(1, 'safety_plan', 1, 0, 'call Sam'), t.op(2, 'mood', 2, 0, 'calm'), t.op(3, 'signal', 3, 0, 'help'),
	t.op(4, 'nothing', 4, 0, 'x'), '{"op_id": 5}', t.op(1, 'safety_plan', 6, 0, 'again'), t.op(2, 'signal', 7, 0, 'the op_id of a refused one'),
	t.op(8, 'safety_plan', 1, 7, 'ahead'), t.op(9, 'safety_plan', 9, 0, repeat('x', 1048577)), t.op(10, 'trace', 10, 0, 'x')));
SELECT outcome, revision, code, receipt FROM paws_sync.push_crisis(:'phone', t.ops(t.op(1, 'safety_plan', 1, 0, 'call Sam'), t.op(8, 'safety_plan', 1, 7, 'ahead')));
SELECT outcome, code, receipt FROM paws_sync.push(:'phone', t.ops(t.op(3, 'signal', 3, 0, 'help')));
SELECT count(*) AS nothing FROM paws_sync.push_crisis(:'phone', '[]');
SELECT count(*) AS in_the_queue FROM paws_queue.operation;

-- a device too many, and a revoked one, whose changes are marked
SELECT outcome, code, receipt FROM paws_sync.push_crisis(:'watch', t.ops(t.op(21, 'signal', 21, 0, 'help'), t.op(22, 'mood', 22, 0, 'x')));
SELECT outcome, code, receipt FROM paws_sync.push_crisis(:'lost', t.ops(t.op(31, 'signal', 31, 0, 'help'), t.op(32, 'mood', 32, 0, 'x')));

-- what is wrong with a call is an error
SELECT * FROM paws_sync.push_crisis(NULL, '[]');
SELECT * FROM paws_sync.push_crisis(:'phone', NULL);
SELECT * FROM paws_sync.push_crisis(:'phone', '{}');
BEGIN;
SELECT paws_sync.register_device(:'subject', 'desktop') AS unknown \gset
ROLLBACK;
SELECT * FROM paws_sync.push_crisis(:'unknown', t.ops(t.op(1, 'signal', 1, 0, 'help')));
SELECT * FROM paws_sync.pull_crisis(:'unknown');
SELECT * FROM paws_sync.crisis_bundle(:'unknown');
BEGIN READ ONLY;
SELECT * FROM paws_sync.push_crisis(:'phone', t.ops(t.op(40, 'signal', 40, 0, 'help')));
ROLLBACK;

-- it counts with its commit
BEGIN;
SELECT outcome, receipt FROM paws_sync.push_crisis(:'phone', t.ops(t.op(41, 'signal', 41, 0, 'undone')));
ROLLBACK;
BEGIN;
SELECT outcome, receipt FROM paws_sync.push_crisis(:'phone', t.ops(t.op(42, 'safety_plan', 1, 1, 'call Kim')));
PREPARE TRANSACTION 'crisis_api';
SELECT t.no(op_id) AS op, outcome FROM paws_sync.receipts(:'phone', ARRAY[t.id(41), t.id(42)]);
SELECT outcome, receipt FROM paws_sync.push_crisis(:'phone', t.ops(t.op(42, 'safety_plan', 1, 1, 'call Kim')));

-- Reading: the crisis lane alone. The cursor is that of pull, and its ordinary part stays as it is.
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(51, 'mood', 51, 0, 'calm')));
CALL t.wait_applied();
SELECT lane, kind, collection, t.no(doc_id) AS doc, revision, deleted, t.text(payload) AS payload, outcome, code FROM paws_sync.pull_crisis(:'browser');
SELECT (array_agg(cursor))[count(*)] AS cursor FROM paws_sync.pull_crisis(:'browser') \gset all_
SELECT count(*) AS more FROM paws_sync.pull_crisis(:'browser', :'all_cursor');
SELECT lane, kind, t.text(payload) AS payload FROM paws_sync.pull(:'browser', :'all_cursor');
SELECT (array_agg(cursor))[count(*)] AS cursor FROM paws_sync.pull(:'browser', :'all_cursor') \gset both_
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(52, 'mood', 51, 1, 'better'), t.op(53, 'safety_plan', 1, 2, 'call Pat')));
CALL t.wait_applied();
SELECT lane, kind, t.text(payload) AS payload, cursor FROM paws_sync.pull_crisis(:'browser', :'both_cursor') \gset crisis_
SELECT :'crisis_lane' AS lane, :'crisis_kind' AS kind, :'crisis_payload' AS payload;
SELECT lane, kind, t.text(payload) AS payload FROM paws_sync.pull(:'browser', :'crisis_cursor');
SELECT paws_sync.ack(:'browser', :'crisis_cursor');

-- its own operations come back as receipts; page by page; a device too many has it, a revoked one has not
SELECT kind, t.no(op_id) AS op, outcome, code FROM paws_sync.pull_crisis(:'phone', :'all_cursor');
SELECT count(*) AS one FROM paws_sync.pull_crisis(:'browser', NULL, 1);
SELECT count(*) AS one FROM paws_sync.pull_crisis(:'browser', NULL, 500, 1);
WITH RECURSIVE page AS (
	SELECT 1 AS n, p.* FROM paws_sync.pull_crisis(:'browser', NULL, 1) p
	UNION ALL
	SELECT n + 1, p.* FROM page, paws_sync.pull_crisis(:'browser', page.cursor, 1) p WHERE n < 20)
SELECT count(*) AS pages, count(DISTINCT doc_id) AS documents FROM page;
SELECT count(*) > 0 AS has, bool_and(lane = 'crisis') AS alone FROM paws_sync.pull_crisis(:'watch');
SELECT * FROM paws_sync.pull_crisis(:'lost');
SELECT * FROM paws_sync.pull_crisis(NULL);
SELECT * FROM paws_sync.pull_crisis(:'phone', max_changes => 0);
SELECT * FROM paws_sync.pull_crisis(:'phone', max_bytes => NULL);

-- a cursor of another history
SELECT paws_sync.subject_for('crisis_api 2') AS other \gset
SELECT paws_sync.register_device(:'other', 'ios') AS stranger \gset
SELECT lane, kind, code FROM paws_sync.pull_crisis(:'stranger', :'all_cursor');

-- The bundle: hotlines, then the subject's documents, plans first and the newest first.
SELECT kind, region, name, channel, contact, priority FROM paws_sync.crisis_bundle(:'browser', 'us') WHERE kind = 'resource';
SELECT kind, collection, t.no(doc_id) AS doc, revision, t.text(payload) AS payload, code, changed_at <= now() AS timed
FROM paws_sync.crisis_bundle(:'browser') WHERE kind = 'document';
SELECT kind, count(*) FROM paws_sync.crisis_bundle(:'watch', 'gb') GROUP BY kind ORDER BY kind;
-- its own documents are in it, too
SELECT count(*) AS own FROM paws_sync.crisis_bundle(:'phone') WHERE collection = 'safety_plan' AND t.text(payload) = 'call Pat';
-- a revoked device may be in anybody's hands; a stranger's documents are nobody else's
SELECT kind, contact, collection, payload, code FROM paws_sync.crisis_bundle(:'lost', 'nowhere') WHERE kind = 'document' OR contact = '988';
SELECT kind, count(*) FROM paws_sync.crisis_bundle(:'stranger') GROUP BY kind ORDER BY kind;
-- deleted documents are not in it
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(61, 'safety_plan', 61, 0, 'old plan'), t.op(62, 'safety_plan', 61, 1, NULL)));
SELECT count(*) AS deleted FROM paws_sync.crisis_bundle(:'phone') WHERE doc_id = t.id(61);

-- a region, as an app may write it; what is none is no reason to leave anybody without an answer
SELECT given, array_agg(DISTINCT b.region ORDER BY b.region) AS regions, count(*) FILTER (WHERE b.contact = '988') AS of_988
FROM unnest(ARRAY['us', 'US', 'us_ny', 'US-NY', 'ca', 'de', 'DE_BY', 'gb', 'zz', 'eu', 'eu_1']) AS given,
	paws_sync.crisis_bundle(:'browser', given) b WHERE b.kind = 'resource' GROUP BY given ORDER BY given COLLATE "C";
SELECT left(given, 10) AS given, count(*) = (SELECT count(*) FROM paws_sync.resources) AS everything
FROM unnest(ARRAY[NULL, '', 'u', 'usa', 'u_s', 'us_', 'us_1234', 'us/ny', 'Jane Doe', repeat('x', 1000), 'ü']) AS given,
	paws_sync.crisis_bundle(:'browser', given) b WHERE b.kind = 'resource' GROUP BY given ORDER BY length(given) NULLS FIRST, given COLLATE "C";
SELECT contact, priority FROM paws_sync.crisis_bundle(:'browser', 'de_by') WHERE region IN ('de', 'eu');

-- one read, no write
BEGIN READ ONLY;
SELECT count(*) > 10 AS read_only FROM paws_sync.crisis_bundle(:'browser');
SELECT count(*) > 0 AS read_only FROM paws_sync.pull_crisis(:'browser');
COMMIT;
BEGIN;
SELECT count(*) > 10 AS bundle FROM paws_sync.crisis_bundle(:'browser');
SELECT count(*) > 0 AS pulled FROM paws_sync.pull_crisis(:'browser');
SELECT pg_current_xact_id_if_assigned() AS transaction_id;
COMMIT;

-- Operators' resources.
SELECT region, name, channel, contact FROM paws_sync.resources WHERE fixed ORDER BY region, channel;
SELECT count(*) > 20 AS several, bool_and(shipped) AS shipped, bool_and(shown) AS shown FROM paws_sync.resources;
-- what ships is as well-formed as what an operator may set; must be none
SELECT * FROM paws_sync.resources WHERE region::paws_crisis.region::text <> region OR name::paws_registry.code_name::text <> name
	OR contact::paws_crisis.contact::text <> contact OR (channel IN ('chat', 'web')) <> (contact ~ '^https:');
SELECT paws_sync.set_resource('us_ny', 'city_line', 'call', '+18005550100');
SELECT paws_sync.set_resource('gb', 'samaritans', 'call', '0800555');
SELECT region, name, contact, priority FROM paws_sync.crisis_bundle(:'browser', 'us_ny') WHERE priority < 3;
SELECT contact FROM paws_sync.crisis_bundle(:'browser', 'gb') WHERE name = 'samaritans';
SELECT region, name, channel, contact, shown FROM paws_sync.resources WHERE NOT shipped ORDER BY region;
SELECT paws_sync.set_resource('us_ny', 'city_line', 'call', '+18005550101');
SELECT contact FROM paws_sync.crisis_bundle(:'browser', 'us_ny') WHERE name = 'city_line';
SELECT paws_sync.drop_resource('us_ny', 'city_line', 'call'), paws_sync.drop_resource('us_ny', 'city_line', 'call') AS again;
SELECT paws_sync.drop_resource('gb', 'samaritans', 'call');
SELECT paws_sync.drop_resource('gb', 'samaritans', 'call') AS again;
SELECT paws_sync.drop_resource('nz', 'need_to_talk', 'text');
SELECT count(*) AS dropped FROM paws_sync.crisis_bundle(:'browser') WHERE (region, name, channel) IN (('us_ny', 'city_line', 'call'),
	('gb', 'samaritans', 'call'), ('nz', 'need_to_talk', 'text'));
SELECT region, name, channel, contact, shipped FROM paws_sync.resources WHERE NOT shown ORDER BY region;
SELECT region, name, channel, contact FROM paws_crisis.resource ORDER BY region;
-- and back
SELECT paws_sync.set_resource('gb', 'samaritans', 'call', '116123');
SELECT contact FROM paws_sync.crisis_bundle(:'browser', 'gb') WHERE name = 'samaritans';
DELETE FROM paws_crisis.resource;
SELECT count(*) AS changed FROM paws_sync.resources WHERE NOT shipped OR NOT shown;

-- 988 is fixed, even against a row that somebody put into the table
SELECT paws_sync.set_resource('us', 'lifeline_988', 'call', '123');
SELECT paws_sync.drop_resource('ca', 'helpline_988', 'text');
BEGIN;
INSERT INTO paws_crisis.resource VALUES ('us', 'lifeline_988', 1, '123'), ('us', 'lifeline_988', 2, NULL), ('xx', 'gone', 1, NULL);
SELECT channel, contact FROM paws_sync.crisis_bundle(:'browser', 'us') WHERE name = 'lifeline_988';
SELECT count(*) AS gone FROM paws_sync.resources WHERE region = 'xx';
ROLLBACK;

-- what is not well-formed
SELECT paws_sync.set_resource(NULL, 'line', 'call', '123');
SELECT paws_sync.set_resource('us', 'line', 'call', NULL);
SELECT paws_sync.drop_resource('us', 'line', NULL);
SELECT paws_sync.set_resource('us', 'line', 'fax', '123');
SELECT paws_sync.drop_resource('us', 'line', 'fax');
SELECT paws_sync.drop_resource('Jane', 'Doe', 'call');
SELECT paws_sync.set_resource('us', 'line', 'call', '12');
SELECT paws_sync.set_resource('Us', 'line', 'call', '123');
SELECT paws_sync.set_resource('us', 'Jane Doe', 'call', '123');
CREATE FUNCTION pg_temp.answer(channel text, contact text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM paws_sync.set_resource('us', 'line', channel, contact);
	RETURN 'taken';
EXCEPTION WHEN invalid_parameter_value THEN
	RETURN 'refused';
END
$$;
SELECT channel, left(contact, 40) AS contact, length(contact) AS length, pg_temp.answer(channel, contact) FROM (VALUES
	('call', '123'), ('text', '+12345678901234567890'), ('call', repeat('1', 21)), ('call', '++123'), ('call', '1-800-555'), ('call', ''),
	('call', 'Jane Doe'), ('call', 'https://a.org'), ('call', E'123\n'), ('call', '١٢٣'),
	('web', 'https://a.org'), ('chat', 'https://www.some-line.org.uk/en/chat_now/index.html'), ('web', 'https://a.org/'),
	('web', '123'), ('web', 'http://a.org'), ('web', 'https://a'), ('web', 'https://A.org'), ('web', 'https://a.org/Jane'),
	('web', 'https://a.org/x?name=jane'), ('web', 'https://a.org/x#jane'), ('web', 'https://jane@a.org'), ('web', 'https://a.org:8080'),
	('web', 'https://a.org/jane doe'), ('web', 'https://-a.org'), ('web', 'https://a..org'), ('web', 'javascript:alert(1)'),
	('web', E'https://a.org\nJane'), ('web', 'https://a.org/' || repeat('x', 186)), ('web', 'https://a.org/' || repeat('x', 187))
) AS v (channel, contact);
DELETE FROM paws_crisis.resource;
-- nor by hand
\set VERBOSITY terse
INSERT INTO paws_crisis.resource VALUES ('us', 'line', 1, 'https://a.org');
INSERT INTO paws_crisis.resource VALUES ('us', 'line', 3, '123');
INSERT INTO paws_crisis.resource VALUES ('us', 'line', 5, '123');
\set VERBOSITY default

-- One bad document costs itself; many signals crowd out no plan.
BEGIN;
UPDATE paws_crisis.document SET envelope = set_byte(envelope, octet_length(envelope) - 1, get_byte(envelope, octet_length(envelope) - 1) # 1)
WHERE doc_id = t.id(1);
SELECT collection, t.no(doc_id) AS doc, payload IS NULL AS closed, code FROM paws_sync.crisis_bundle(:'browser') WHERE kind = 'document' AND code IS NOT NULL;
SELECT count(*) AS others FROM paws_sync.crisis_bundle(:'browser') WHERE kind = 'document' AND code IS NULL;
ROLLBACK;
BEGIN;
SELECT outcome, count(*) FROM paws_sync.push_crisis(:'phone', (SELECT jsonb_agg(t.op(n, 'signal', n, 0, 'help ' || n)) FROM generate_series(1001, 1150) n)) GROUP BY 1;
SELECT count(*) AS documents, (array_agg(t.text(payload)))[1] AS first FROM paws_sync.crisis_bundle(:'browser') WHERE kind = 'document';
ROLLBACK;
BEGIN;
SELECT outcome, count(*) FROM paws_sync.push_crisis(:'phone', (SELECT jsonb_agg(t.op(n, 'safety_plan', n, 0, repeat('x', 1048000))) FROM generate_series(1201, 1220) n)) GROUP BY 1;
SELECT count(*) AS documents, sum(octet_length(payload)) AS bytes FROM paws_sync.crisis_bundle(:'browser') WHERE kind = 'document';
ROLLBACK;

-- Nothing of the ordinary lane is touched, by processes that have done nothing before: of our relations these alone.
CREATE VIEW t.locked AS
	SELECT DISTINCT coalesce(m.relnamespace, c.relnamespace)::regnamespace AS schema
	FROM pg_locks l JOIN pg_class c ON c.oid = l.relation LEFT JOIN pg_class m ON m.reltoastrelid = c.oid
	WHERE l.pid = pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND coalesce(m.relnamespace, c.relnamespace)::regnamespace::text ~ '^paws_';
\c -
BEGIN;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(71, 'signal', 71, 0, 'help'), t.op(72, 'safety_plan', 72, 0, repeat('x', 100000)), t.op(73, 'mood', 73, 0, 'x')));
SELECT * FROM t.locked ORDER BY schema::text COLLATE "C";
COMMIT;
\c -
BEGIN;
SELECT count(*) > 0 AS pulled FROM paws_sync.pull_crisis(:'browser');
SELECT * FROM t.locked ORDER BY schema::text COLLATE "C";
COMMIT;
\c -
BEGIN;
SELECT count(*) > 0 AS bundle FROM paws_sync.crisis_bundle(:'browser');
SELECT * FROM t.locked ORDER BY schema::text COLLATE "C";
COMMIT;
-- push does touch it
BEGIN;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(74, 'mood', 74, 0, 'x')));
SELECT * FROM t.locked ORDER BY schema::text COLLATE "C";
ROLLBACK;

-- nor is it needed: emptied, or with every table renamed, or the schemas gone from where they were
CREATE PROCEDURE t.to_ordinary(command text) LANGUAGE plpgsql AS
$$
DECLARE
	relation regclass;
BEGIN
	FOR relation IN SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('paws_care', 'paws_queue', 'paws_vault') LOOP
		EXECUTE format(command, relation, 'gone_' || relation::oid);
	END LOOP;
END
$$;
CREATE PROCEDURE t.crisis_works(phone text, browser text) LANGUAGE plpgsql AS
$$
DECLARE
	pushed text;
	pulled bigint;
	bundled bigint;
BEGIN
	SELECT string_agg(p.outcome || ' ' || coalesce(p.receipt::text, p.code), ', ' ORDER BY item) INTO pushed FROM paws_sync.push_crisis(phone::paws_sync.device,
		t.ops(t.op(81, 'signal', 81, 0, 'help'), t.op(82, 'safety_plan', 82, 0, 'call Kim'), t.op(83, 'mood', 83, 0, 'x'))) p;
	SELECT count(*) FILTER (WHERE t.no(doc_id) IN (81, 82)) INTO pulled FROM paws_sync.pull_crisis(browser::paws_sync.device);
	SELECT count(*) FILTER (WHERE contact = '988' OR t.no(doc_id) IN (81, 82)) INTO bundled FROM paws_sync.crisis_bundle(browser::paws_sync.device);
	RAISE NOTICE 'pushed: %; pulled: %; bundled: %', pushed, pulled, bundled;
END
$$;
\c -
BEGIN;
CALL t.to_ordinary('TRUNCATE %s');
CALL t.crisis_works(:'phone', :'browser');
ROLLBACK;
\c -
BEGIN;
CALL t.to_ordinary('ALTER TABLE %s RENAME TO %I');
CALL t.crisis_works(:'phone', :'browser');
ROLLBACK;
BEGIN;
ALTER SCHEMA paws_care RENAME TO gone_care;
ALTER SCHEMA paws_queue RENAME TO gone_queue;
ALTER SCHEMA paws_vault RENAME TO gone_vault;
CALL t.crisis_works(:'phone', :'browser');
ROLLBACK;
-- of its own tables it needs the one of operators least
BEGIN;
ALTER TABLE paws_crisis.resource RENAME TO gone;
CALL t.crisis_works(:'phone', :'browser');
ROLLBACK;
BEGIN;
ALTER TABLE paws_crisis.document RENAME TO gone;
SELECT kind, contact, code FROM paws_sync.crisis_bundle(:'browser', 'us') WHERE kind = 'document' OR contact = '988';
ROLLBACK;
-- a key of the subject that does not open costs its documents
\c -
BEGIN;
UPDATE paws_crisis.subject_key SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1)
WHERE subject_no = (SELECT subject_no FROM paws_registry.subject WHERE subject::text = :'subject');
SELECT kind, contact, code FROM paws_sync.crisis_bundle(:'browser', 'us') WHERE kind = 'document' OR contact = '988';
ROLLBACK;
-- with every limit of the tier at 0
SELECT paws_sync.set_tier_policy('trial', 0, 0, 0, 0, 0, 0, 1);
SELECT paws_sync.register_device(:'subject', 'server') AS extra \gset
BEGIN;
CALL t.crisis_works(:'extra', :'watch');
ROLLBACK;
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;
DROP PROCEDURE t.to_ordinary, t.crisis_works;
DROP VIEW t.locked;
