-- How payloads are sealed: what collections may say, which suite each one gets, how tiers compress, and that what
-- comes out is what went in.
\set SHOW_CONTEXT never
SELECT paws_sync.subject_for('sealing') AS subject \gset
SELECT paws_sync.set_entitlement(:'subject', 'premium');
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset
SELECT subject_no AS no FROM paws_registry.subject WHERE subject::text = :'subject' \gset

CREATE FUNCTION pg_temp.answer(call text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	message text;
	hint text;
BEGIN
	EXECUTE 'SELECT paws_sync.' || call;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || message || coalesce(' - ' || nullif(hint, ''), '');
END
$$;

-- what may be defined: every class with every sealing, compressible or not
CREATE TEMP TABLE definition AS
SELECT c.n AS class_no, c.class, s.n AS sealing_no, s.sealing, m.n AS compressible_no, m.compressible,
	'c' || c.n || s.n || m.n AS name
FROM unnest(enum_range(NULL::paws_sync.class)) WITH ORDINALITY c (class, n),
	(VALUES (0, NULL), (1, 'standard'), (2, 'aes'), (3, 'layered'), (4, 'client')) s (n, sealing),
	(VALUES (0, NULL), (1, true), (2, false)) m (n, compressible);
CREATE TEMP TABLE defined AS
SELECT d.*, pg_temp.answer(format('define_collection(%L, %L, sealing => %L, compressible => %L)', name, class, sealing, compressible)) AS answer
FROM definition d;
SELECT class, d.sealing AS asked, c.sealing,
	string_agg(concat_ws(' ', coalesce(d.compressible::text, '-'), 'as', coalesce(c.compressible::text, 'refused')), ', ' ORDER BY compressible_no) AS compressible
FROM defined d LEFT JOIN paws_sync.collections c USING (name, class)
GROUP BY class, class_no, d.sealing, sealing_no, c.sealing ORDER BY class_no, sealing_no, c.sealing;
SELECT answer, count(*) FROM defined WHERE answer <> 'done' GROUP BY answer ORDER BY answer;
DELETE FROM paws_registry.collection WHERE name ~ '^c\d{3}$';
\c
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.answer(call text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	message text;
	hint text;
BEGIN
	EXECUTE 'SELECT paws_sync.' || call;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || message || coalesce(' - ' || nullif(hint, ''), '');
END
$$;

SELECT call, pg_temp.answer(call) FROM (VALUES
	(1, 'define_collection(NULL, ''bulk'')'),
	(2, 'define_collection(''refused'', NULL)'),
	(3, 'define_collection(''refused'', ''bulk'', NULL)'),
	(4, 'define_collection(''refused'', ''bulk'', sealing => '''')'),
	(5, 'define_collection(''refused'', ''bulk'', sealing => ''Standard'')'),
	(6, 'define_collection(''refused'', ''bulk'', sealing => ''standard '')'),
	(7, 'define_collection(''refused'', ''bulk'', sealing => ''none'')'),
	(8, 'define_collection(''refused'', ''bulk'', sealing => repeat(''standard'', 100000))'),
	(9, 'define_collection(''refused'', ''bulk'', sealing => repeat(''x'', 63))'),
	(10, 'define_collection(''refused'', ''safety'', sealing => ''nothing'')'),
	(11, 'define_collection(''refused'', ''nothing'')')) v (n, call) ORDER BY n;
SELECT count(*) FROM paws_sync.collections WHERE name = 'refused';

-- one collection of each suite; defining it anew without saying how takes the default again
SELECT name, pg_temp.answer(format('define_collection(%L, %L, %L, %L, %L)', name, class, on_conflict, sealing, compressible))
FROM (VALUES ('s_standard', 'standard', 'branch', 'standard', false), ('s_aes', 'standard', 'branch', 'aes', false),
	('s_layered', 'standard', 'branch', 'layered', false), ('s_client', 'standard', 'branch', 'client', NULL),
	('s_packed', 'bulk', 'server_order', NULL, NULL), ('s_packed_aes', 'bulk', 'server_order', 'aes', NULL),
	('s_packed_layered', 'session', 'server_order', NULL, true), ('s_safety', 'safety', 'branch', NULL, NULL),
	('s_emergency', 'emergency', 'branch', 'layered', false)) v (name, class, on_conflict, sealing, compressible);
BEGIN;
SELECT paws_sync.define_collection('s_client', 'standard', 'branch');
SELECT sealing, compressible FROM paws_sync.collections WHERE name = 's_client';
ROLLBACK;

-- suites, in every place where an envelope stands
CREATE FUNCTION t.suite(envelope bytea) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT '0x' || lpad(to_hex(get_byte(envelope, 3)), 2, '0') $$;
BEGIN;
SELECT outcome, count(*) FROM paws_sync.push(:'phone', t.ops(
	t.op(1, 's_standard', 1, 0, 'one'), t.op(2, 's_aes', 2, 0, 'one'), t.op(3, 's_layered', 3, 0, 'one'), t.op(4, 's_client', 4, 0, 'one'),
	t.op(5, 'mood', 5, 0, 'one'), t.op(6, 'plan', 6, 0, 'one'), t.op(7, 'upload', 7, 0, 'one'), t.op(8, 'trace', 8, 0, 'one'),
	t.op(9, 's_packed_aes', 9, 0, 'one'), t.op(10, 's_packed_layered', 10, 0, 'one'),
	t.op(11, 's_safety', 11, 0, 'one'), t.op(12, 's_emergency', 12, 0, 'one'))) GROUP BY outcome;
SELECT c.name, c.class, t.suite(o.envelope) FROM paws_queue.operation o JOIN paws_registry.collection r ON r.collection_no = o.collection
JOIN paws_sync.collections c ON c.name = r.name WHERE o.subject_no = :no ORDER BY t.no(o.op_id);
COMMIT;
CALL t.wait_applied();
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(
	t.op(21, 's_standard', 1, 0, 'stale'), t.op(22, 's_aes', 2, 0, 'stale'), t.op(23, 's_layered', 3, 0, 'stale'), t.op(24, 's_client', 4, 0, 'stale'),
	t.op(31, 's_safety', 11, 0, 'stale'), t.op(32, 's_emergency', 12, 0, 'stale')));
CALL t.wait_applied();
SELECT place, c.name, c.class, t.suite(d.envelope), length(d.seal) AS seal
FROM (SELECT 'document' AS place, collection, doc_id, envelope, seal FROM paws_care.document WHERE subject_no = :no
	UNION ALL SELECT 'document', collection, doc_id, envelope, seal FROM paws_crisis.document WHERE subject_no = :no
	UNION ALL SELECT 'branch', d.collection, doc_id, b.envelope, NULL FROM paws_care.branch b JOIN paws_care.document d USING (subject_no, doc_id)
		WHERE subject_no = :no
	UNION ALL SELECT 'branch', d.collection, doc_id, b.envelope, NULL FROM paws_crisis.branch b JOIN paws_crisis.document d USING (subject_no, doc_id)
		WHERE subject_no = :no) d
JOIN paws_registry.collection r ON r.collection_no = d.collection JOIN paws_sync.collections c ON c.name = r.name
ORDER BY place DESC, t.no(d.doc_id);
SELECT collection, t.text(payload) AS payload FROM paws_sync.pull(:'browser') ORDER BY t.no(doc_id);

-- a collection that is defined anew: what comes is sealed as it says now, what is there stays readable; documents
-- are the same, whatever they were sealed with
SELECT paws_sync.define_collection('s_turn', 'standard', sealing => 'layered');
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(41, 's_turn', 41, 0, 'layered'), t.op(42, 's_turn', 42, 0, 'old')));
CALL t.wait_applied();
BEGIN;
SELECT paws_sync.define_collection('s_turn', 'standard', sealing => 'standard');
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(43, 's_turn', 43, 0, 'never')));
SELECT t.suite(envelope) FROM paws_queue.operation WHERE doc_id = t.id(43) AND subject_no = :no;
ROLLBACK;
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(44, 's_turn', 44, 0, 'layered still')));
SELECT paws_sync.define_collection('s_turn', 'standard', sealing => 'aes');
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(45, 's_turn', 45, 0, 'aes'), t.op(46, 's_turn', 42, 1, 'new')));
SELECT paws_sync.define_collection('s_turn', 'background', sealing => 'client');
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(47, 's_turn', 47, 0, 'client')));
CALL t.wait_applied();
SELECT t.no(p.doc_id) AS doc, t.suite(d.envelope), p.revision, t.text(p.payload) AS payload
FROM paws_sync.pull(:'browser') p JOIN paws_care.document d ON d.doc_id = p.doc_id AND d.subject_no = :no
WHERE p.collection = 's_turn' ORDER BY doc;

-- what comes out is what went in, at every size at which something begins anew
CREATE FUNCTION t.noise(size integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT substring(coalesce(string_agg(decode(md5(n::text), 'hex'), '' ORDER BY n), ''), 1, size) FROM generate_series(1, (size + 15) / 16) n $$;
CREATE FUNCTION t.calm(size integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT convert_to(left(repeat('I feel calm today. ', size / 19 + 1), size), 'UTF8') $$;
-- Padmé: as many significant digits as the exponent takes to write
CREATE FUNCTION t.bucket(length integer) RETURNS integer LANGUAGE sql IMMUTABLE AS
$$
	SELECT CASE WHEN length <= 256 THEN 256 ELSE (length + mask) / (mask + 1) * (mask + 1) END
	FROM (SELECT floor(log(2, length::numeric))::integer AS e) e,
		LATERAL (SELECT (2 ^ (e - (floor(log(2, e::numeric))::integer + 1)))::integer - 1 AS mask) m
$$;
CREATE FUNCTION t.overhead(envelope bytea) RETURNS integer LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE t.suite(envelope) WHEN '0x01' THEN 104 WHEN '0x02' THEN 112 WHEN '0x03' THEN 160 WHEN '0x12' THEN 188 WHEN '0x13' THEN 244 END $$;
SELECT paws_sync.register_device(:'subject', 'desktop') AS desktop \gset
CREATE TEMP TABLE sent AS
WITH noise AS MATERIALIZED (SELECT t.noise(1048576) AS payload)
SELECT row_number() OVER () + 1000 AS n, name, size, substring(payload, 1, size) AS payload
FROM noise, unnest('{s_standard,s_aes,s_layered,s_client,s_packed,s_packed_aes,s_packed_layered,s_safety,s_emergency}'::text[]) AS name,
	unnest('{0,1,249,250,251,252,253,254,255,256,257,511,512,513,65535,65536,65537,1048575,1048576}'::integer[]) AS size;
SELECT outcome, count(*) FROM paws_sync.push_many(:'phone', (SELECT array_agg(t.id(n::integer) ORDER BY n) FROM sent),
	(SELECT array_agg(name ORDER BY n) FROM sent), (SELECT array_agg(t.id(n::integer) ORDER BY n) FROM sent),
	(SELECT array_agg(0) FROM sent), (SELECT array_agg(payload ORDER BY n) FROM sent)) GROUP BY outcome;
CALL t.wait_applied();
CREATE TEMP TABLE stored AS
SELECT doc_id, envelope FROM paws_care.document WHERE subject_no = :no
UNION ALL SELECT doc_id, envelope FROM paws_crisis.document WHERE subject_no = :no;
SELECT s.name, t.suite(d.envelope), count(*), bool_and(octet_length(d.envelope) = t.overhead(d.envelope) + t.bucket(s.size + 5)) AS sizes
FROM sent s JOIN stored d ON d.doc_id = t.id(s.n::integer) GROUP BY 1, 2 ORDER BY 2, 1;
CREATE TEMP TABLE got (doc_id uuid, payload bytea);
DO $$
DECLARE
	at paws_sync.cursor;
	page integer;
	who paws_sync.device := (SELECT device FROM paws_sync.devices(paws_sync.subject_for('sealing')) WHERE platform = 'desktop');
BEGIN
	LOOP
		WITH page AS MATERIALIZED (SELECT * FROM paws_sync.pull(who, at, 10000, 67108864)),
			kept AS (INSERT INTO got SELECT doc_id, payload FROM page WHERE kind = 'change')
		SELECT count(*), (array_agg(cursor))[count(*)] INTO page, at FROM page;
		EXIT WHEN page = 0;
	END LOOP;
END $$;
SELECT s.name, count(*), count(*) FILTER (WHERE s.payload = g.payload) AS same FROM sent s LEFT JOIN got g ON g.doc_id = t.id(s.n::integer)
GROUP BY s.name ORDER BY s.name COLLATE "C";

-- what is short looks alike, compressed or not
SELECT count(*) FROM paws_sync.push(:'phone', (SELECT jsonb_agg(t.op(2000 + n, name, 2000 + n, 0, answer)) FROM (
	SELECT (row_number() OVER ())::integer AS n, name, answer
	FROM unnest('{s_standard,s_layered,s_packed,s_safety}'::text[]) AS name,
		unnest(ARRAY['yes', 'no', '', repeat('I would rather not say. ', 10)]) AS answer) a));
CALL t.wait_applied();
SELECT r.name, count(*), count(DISTINCT octet_length(d.envelope)) AS sizes
FROM (SELECT collection, doc_id, envelope FROM paws_care.document WHERE subject_no = :no
	UNION ALL SELECT collection, doc_id, envelope FROM paws_crisis.document WHERE subject_no = :no) d
JOIN paws_registry.collection r ON r.collection_no = d.collection
WHERE d.doc_id BETWEEN t.id(2000) AND t.id(2999) GROUP BY r.name ORDER BY r.name::text COLLATE "C";

-- the same payload twice: nothing that was derived for an envelope is in another one
SELECT count(*) FROM paws_sync.push(:'phone', (SELECT jsonb_agg(t.op(2200 + n, name, 2200 + n, 0, repeat('same', 200)))
	FROM (SELECT (row_number() OVER ())::integer AS n, name
		FROM unnest('{s_standard,s_aes,s_layered,s_client,s_packed,s_packed_aes,s_safety,s_emergency}'::text[]) AS name, generate_series(1, 2)) a (n, name)));
CALL t.wait_applied();
CREATE TEMP TABLE field (suite text, field text, first integer, bytes integer);
INSERT INTO field VALUES ('0x01', 'nonce', 33, 24), ('0x01', 'commitment', 57, 32), ('0x02', 'salt', 33, 32), ('0x02', 'commitment', 65, 32),
	('0x12', 'salt', 37, 32), ('0x12', 'commitment', 69, 32), ('0x13', 'salt', 37, 32), ('0x13', 'commitment', 69, 32);
CREATE TEMP TABLE twin AS
SELECT collection, doc_id, envelope FROM paws_care.document WHERE subject_no = :no AND doc_id BETWEEN t.id(2200) AND t.id(2299)
UNION ALL SELECT collection, doc_id, envelope FROM paws_crisis.document WHERE subject_no = :no AND doc_id BETWEEN t.id(2200) AND t.id(2299);
SELECT suite, field, count(*), count(DISTINCT substring(envelope, first, bytes)) AS different
FROM twin JOIN field ON suite = t.suite(envelope) GROUP BY suite, field, first ORDER BY suite, first;
-- no piece of 16 bytes behind the header of one is anywhere in the other
SELECT r.name, sum(array_length(p.pieces, 1)) AS pieces, count(*) FILTER (WHERE shared > 0) AS repeated
FROM (SELECT a.collection, ARRAY(SELECT substring(a.envelope, at, 16) FROM generate_series(37, octet_length(a.envelope) - 15, 16) AS at) AS pieces,
		(SELECT count(*) FROM twin b, generate_series(37, octet_length(a.envelope) - 15, 16) AS at
			WHERE b.doc_id <> a.doc_id AND b.collection = a.collection AND position(substring(a.envelope, at, 16) IN b.envelope) > 0) AS shared
	FROM twin a) p
JOIN paws_registry.collection r ON r.collection_no = p.collection GROUP BY r.name ORDER BY r.name::text COLLATE "C";

-- compression: by tier, and only where the collection lets it. Three payloads: words, which every codec shortens;
-- digits without order, which only one that codes symbols does; noise, which none does
CREATE FUNCTION t.digits(size integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT convert_to(left(string_agg(translate(md5(n::text), 'abcdef', '012345'), '' ORDER BY n), size), 'UTF8') FROM generate_series(1, size / 32 + 1) n $$;
CREATE TEMP TABLE kind AS SELECT * FROM (VALUES (1, 'words', t.calm(50000)), (2, 'digits', t.digits(50000)), (3, 'noise', t.noise(50000))) k (k, kind, payload);
CREATE TEMP TABLE sample AS SELECT 3000 + row_number() OVER () AS n, name, kind, payload
FROM kind, unnest('{s_packed,s_packed_aes,s_packed_layered,s_standard,s_layered,s_client,s_safety}'::text[]) AS name;
CREATE FUNCTION t.push_sample(who paws_sync.device, base integer) RETURNS bigint LANGUAGE sql AS
$$
	SELECT count(*) FILTER (WHERE outcome = 'accepted') FROM paws_sync.push_many(who, (SELECT array_agg(t.id(base + n::integer) ORDER BY n) FROM sample),
		(SELECT array_agg(name ORDER BY n) FROM sample), (SELECT array_agg(t.id(base + n::integer) ORDER BY n) FROM sample),
		(SELECT array_agg(0) FROM sample), (SELECT array_agg(payload ORDER BY n) FROM sample))
$$;
CREATE FUNCTION t.show_sample(no bigint, base integer) RETURNS TABLE (name text, words text, digits text, noise text) LANGUAGE sql AS
$$
	WITH d AS (SELECT s.name, s.kind, CASE WHEN stored = t.bucket(octet_length(payload) + 5) THEN 'as it is'
				WHEN stored <> t.bucket(stored) THEN 'no bucket' WHEN stored <= t.bucket(octet_length(payload) + 5) / 2 THEN 'half or less' ELSE 'more than half' END AS size
		FROM sample s JOIN (SELECT doc_id, octet_length(envelope) - t.overhead(envelope) AS stored FROM paws_care.document WHERE subject_no = no
			UNION ALL SELECT doc_id, octet_length(envelope) - t.overhead(envelope) FROM paws_crisis.document WHERE subject_no = no) d
			ON d.doc_id = t.id(base + s.n::integer))
	SELECT d.name, max(size) FILTER (WHERE kind = 'words'), max(size) FILTER (WHERE kind = 'digits'), max(size) FILTER (WHERE kind = 'noise')
	FROM d GROUP BY d.name ORDER BY d.name COLLATE "C"
$$;
CREATE FUNCTION t.same_sample(who paws_sync.device, base integer) RETURNS bigint LANGUAGE sql AS
$$ SELECT count(*) FROM paws_sync.pull(who, NULL, 10000, 67108864) p JOIN sample s ON p.doc_id = t.id(base + s.n::integer) AND p.payload = s.payload $$;
SELECT tier, compression, compression_level FROM paws_sync.tier_policy ORDER BY tier;

-- as shipped
SELECT paws_sync.subject_for('sealing trial') AS trial \gset
SELECT paws_sync.register_device(:'trial', 'ios') AS trial_phone \gset
SELECT paws_sync.register_device(:'trial', 'web') AS trial_web \gset
SELECT subject_no AS trial_no FROM paws_registry.subject WHERE subject::text = :'trial' \gset
SELECT t.push_sample(:'trial_phone', 0);
CALL t.wait_applied();
SELECT * FROM t.show_sample(:trial_no, 0);
SELECT t.same_sample(:'trial_web', 0);
SELECT t.push_sample(:'phone', 0);
CALL t.wait_applied();
SELECT * FROM t.show_sample(:no, 0);
SELECT t.same_sample(:'browser', 0);

-- a payment that failed takes nothing away; a lower tier does, from the next push on
SELECT paws_sync.set_entitlement(:'trial', 'grace_period');
SELECT t.push_sample(:'trial_phone', 100);
CALL t.wait_applied();
SELECT * FROM t.show_sample(:trial_no, 100) WHERE name = 's_packed';
SELECT paws_sync.set_entitlement(:'trial', 'basic');
SELECT t.push_sample(:'trial_phone', 200);
CALL t.wait_applied();
SELECT * FROM t.show_sample(:trial_no, 200) WHERE name = 's_packed';
SELECT t.same_sample(:'trial_web', 100), t.same_sample(:'trial_web', 200);

-- as an operator sets it, at the ends of what there is; read by any tier
SELECT paws_sync.set_tier_policy('basic', compression => 'none');
SELECT compression, compression_level, shipped FROM paws_sync.tier_policy WHERE tier = 'basic';
SELECT t.push_sample(:'trial_phone', 300);
SELECT paws_sync.set_tier_policy('basic', compression => 'zstd');
SELECT compression, compression_level, shipped FROM paws_sync.tier_policy WHERE tier = 'basic';
SELECT t.push_sample(:'trial_phone', 400);
SELECT paws_sync.set_tier_policy('basic', compression_level => 19);
SELECT t.push_sample(:'trial_phone', 500);
SELECT paws_sync.set_tier_policy('basic', compression => 'lz4', compression_level => 12);
SELECT t.push_sample(:'trial_phone', 600);
SELECT compression, compression_level, max_payload FROM paws_sync.tier_policy WHERE tier = 'basic';
SELECT paws_sync.set_tier_policy('basic', compression => 'none');
CALL t.wait_applied();
SELECT base, s.* FROM unnest('{300,400,500,600}'::integer[]) base, t.show_sample(:trial_no, base) s WHERE name = 's_packed';
SELECT base, t.same_sample(:'trial_web', base) FROM unnest('{0,100,200,300,400,500,600}'::integer[]) base;

-- a level that searches longer finds more
SELECT paws_sync.define_collection('s_text', 'bulk');
CREATE FUNCTION t.text_like(size integer) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$
	SELECT convert_to(left(string_agg((ARRAY['calm', 'tired', 'walked', 'slept', 'badly', 'better', 'today', 'with', 'Sam', 'and', 'then', 'work',
		'was', 'long', 'but', 'fine'])[get_byte(decode(md5(n::text), 'hex'), 0) % 16 + 1] || CASE n % 7 WHEN 0 THEN '. ' ELSE ' ' END, '' ORDER BY n), size), 'UTF8')
	FROM generate_series(1, size / 4) n
$$;
CREATE FUNCTION t.push_text(who paws_sync.device, n integer) RETURNS text LANGUAGE sql AS
$$ SELECT outcome::text FROM paws_sync.push_many(who, ARRAY[t.id(n)], '{s_text}', ARRAY[t.id(n)], '{0}', ARRAY[t.text_like(60000)]) $$;
SELECT paws_sync.set_tier_policy('basic', compression => 'lz4', compression_level => 1);
SELECT t.push_text(:'trial_phone', 4001);
SELECT paws_sync.set_tier_policy('basic', compression => 'lz4', compression_level => 12);
SELECT t.push_text(:'trial_phone', 4002);
SELECT paws_sync.set_tier_policy('basic', compression => 'zstd', compression_level => 1);
SELECT t.push_text(:'trial_phone', 4003);
SELECT paws_sync.set_tier_policy('basic', compression => 'zstd', compression_level => 19);
SELECT t.push_text(:'trial_phone', 4004);
CALL t.wait_applied();
SELECT a[2] < a[1] AS lz4_searches, a[4] < a[3] AS zstd_searches
FROM (SELECT array_agg(octet_length(envelope) ORDER BY doc_id) FROM paws_care.document
	WHERE subject_no = :trial_no AND doc_id BETWEEN t.id(4001) AND t.id(4004)) o (a);

-- what a tier cannot be set to
SELECT call, pg_temp.answer(call) FROM (VALUES
	(1, 'set_tier_policy(''trial'', compression => '''')'),
	(2, 'set_tier_policy(''trial'', compression => ''gzip'')'),
	(3, 'set_tier_policy(''trial'', compression => ''LZ4'')'),
	(4, 'set_tier_policy(''trial'', compression => repeat(''lz4'', 100000))'),
	(5, 'set_tier_policy(''trial'', compression => ''none'', compression_level => 1)'),
	(6, 'set_tier_policy(''trial'', compression => ''lz4'', compression_level => 0)'),
	(7, 'set_tier_policy(''trial'', compression => ''lz4'', compression_level => 13)'),
	(8, 'set_tier_policy(''trial'', compression => ''zstd'', compression_level => 20)'),
	(9, 'set_tier_policy(''trial'', compression => ''zstd'', compression_level => -5)'),
	(10, 'set_tier_policy(''trial'', compression_level => 100000)'),
	(11, 'set_tier_policy(''trial'', compression_level => 2147483647)'),
	(12, 'set_tier_policy(NULL, compression => ''lz4'')')) v (n, call) ORDER BY n;
UPDATE paws_queue.tier_policy SET compression = 3 WHERE NOT shipped;
UPDATE paws_queue.tier_policy SET compression_level = 20 WHERE NOT shipped;
SELECT tier, compression, compression_level FROM paws_sync.tier_policy WHERE NOT shipped;
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;

-- many small ones
SELECT outcome, count(*) FROM paws_sync.push_many(:'phone', ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 5000)),
	array_fill('s_standard'::text, ARRAY[5000]), ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 5000)), array_fill(0, ARRAY[5000]),
	array_fill('\x00'::bytea, ARRAY[5000])) GROUP BY outcome;
CALL t.wait_applied();
SELECT count(*), count(DISTINCT substring(envelope, 33, 24)) AS nonces, count(DISTINCT substring(envelope, 57, 32)) AS commitments
FROM paws_care.document d JOIN paws_registry.collection r ON r.collection_no = d.collection AND r.name = 's_standard'
WHERE subject_no = :no AND revision = 1 AND octet_length(envelope) = 360;
