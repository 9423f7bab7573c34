-- Who may do what: paws_sync.profiles is the table that everything here is generated from. Each query with "must be
-- none" shows what breaks its rule.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT profile, privilege, kind, object FROM paws_sync.profiles
ORDER BY profile COLLATE "C", kind COLLATE "C", object COLLATE "C";

-- no profile has a line for data; must be none
SELECT profile, object FROM paws_sync.profiles
WHERE kind NOT IN ('schema', 'type', 'function', 'view') OR privilege NOT IN ('USAGE', 'EXECUTE', 'SELECT')
	OR object !~ '^paws_sync(\.|$)'
	OR kind = 'view' AND (SELECT relkind FROM pg_class WHERE oid = to_regclass(object)) IS DISTINCT FROM 'v';

-- a role for each profile, and one with none; a run that was cut off leaves its roles
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname ~ '^regress_paws_' \gexec
CREATE TEMP TABLE holder AS
	SELECT profile, 'regress_paws_' || profile AS role FROM (SELECT DISTINCT profile FROM paws_sync.profiles) AS p
	UNION ALL SELECT 'none', 'regress_paws_none';
SELECT format('CREATE ROLE %I', role) FROM holder ORDER BY role COLLATE "C" \gexec
SELECT profile, paws_sync.grant_profile(role, profile) FROM holder WHERE profile <> 'none' ORDER BY profile COLLATE "C";

-- The matrix: every object of the extension, with every privilege that there is on its kind.
CREATE TEMP VIEW cell AS
	WITH member AS (
		SELECT d.classid, d.objid AS oid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
		WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'paws_sync'
	), object AS (
		SELECT 'schema' AS kind, oid, oid::regnamespace::text AS name, '{USAGE,CREATE}'::text[] AS privileges
		FROM member WHERE classid = 'pg_namespace'::regclass
		UNION ALL SELECT 'type', oid, oid::regtype::text, '{USAGE}'
		FROM member WHERE classid = 'pg_type'::regclass
		UNION ALL SELECT 'function', oid, oid::regprocedure::text, '{EXECUTE}'
		FROM member WHERE classid = 'pg_proc'::regclass
		UNION ALL SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END, m.oid, m.oid::regclass::text,
			CASE relkind WHEN 'S' THEN '{USAGE,SELECT,UPDATE}'::text[]
				ELSE '{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}' END
		FROM member m JOIN pg_class c ON c.oid = m.oid WHERE classid = 'pg_class'::regclass AND relkind <> 'c'
		UNION ALL SELECT 'column', a.attrelid, a.attrelid::regclass || '.' || a.attname, '{SELECT,INSERT,UPDATE,REFERENCES}'
		FROM member m JOIN pg_class c ON c.oid = m.oid JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
		WHERE classid = 'pg_class'::regclass AND relkind IN ('r', 'v')
	)
	SELECT h.profile, h.role, o.kind, o.oid, o.name, privilege FROM holder h, object o, unnest(o.privileges) AS privilege;

-- everybody may execute what stands behind a type, an operator, an operator class or a cast
CREATE TEMP VIEW type_support AS
	SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend]::oid[]) AS oid FROM pg_type WHERE typnamespace = 'paws_sync'::regnamespace
	UNION SELECT oprcode FROM pg_operator WHERE oprnamespace = 'paws_sync'::regnamespace
	UNION SELECT amproc FROM pg_amproc a JOIN pg_opfamily f ON f.oid = a.amprocfamily WHERE f.opfnamespace = 'paws_sync'::regnamespace
	UNION SELECT castfunc FROM pg_cast WHERE 'paws_sync.level'::regtype IN (castsource, casttarget);

CREATE TEMP VIEW judged AS
	SELECT c.*, CASE c.kind
			WHEN 'schema' THEN has_schema_privilege(role, oid, privilege)
			WHEN 'type' THEN has_type_privilege(role, oid, privilege)
			WHEN 'function' THEN has_function_privilege(role, oid, privilege)
			WHEN 'sequence' THEN has_sequence_privilege(role, oid, privilege)
			WHEN 'column' THEN has_column_privilege(role, oid, substring(name FROM '[^.]+$'), privilege)
			ELSE has_table_privilege(role, oid, privilege) END AS has,
		EXISTS (SELECT FROM paws_sync.profiles p WHERE p.profile = c.profile AND p.privilege = c.privilege
			AND CASE c.kind WHEN 'column' THEN p.kind = 'view' AND to_regclass(p.object) = c.oid
				ELSE p.kind = c.kind AND p.object = c.name END)
		OR c.kind = 'function' AND c.oid IN (SELECT oid FROM type_support) AS listed
	FROM cell c;

-- every kind is there; each profile has exactly what is listed; must be none
SELECT kind, count(DISTINCT oid) > 0 AS objects, count(*) > 0 AS cells FROM judged GROUP BY kind ORDER BY kind COLLATE "C";
SELECT profile, kind, name, privilege, has, listed FROM judged WHERE has <> listed ORDER BY 1, 2, 3, 4;
SELECT p.profile, p.object FROM paws_sync.profiles p
WHERE NOT EXISTS (SELECT FROM judged j WHERE j.profile = p.profile AND j.kind = p.kind AND j.name = p.object AND j.privilege = p.privilege AND j.has);
-- nor may it pass anything on; must be none
SELECT profile, kind, name FROM judged WHERE kind = 'function' AND has_function_privilege(role, oid, 'EXECUTE WITH GRANT OPTION');

-- no profile has these: what is called by the extension itself, and what gives profiles
SELECT name FROM judged WHERE kind IN ('function', 'view', 'type') AND privilege IN ('EXECUTE', 'SELECT', 'USAGE')
GROUP BY kind, name HAVING NOT bool_or(has) ORDER BY kind COLLATE "C", name COLLATE "C";

-- Rights are one thing, calls another: each function and view is really used as each profile, and rolled back. What is
-- granted works through to its end, what is not is refused.
SELECT paws_sync.subject_for('profiles a') AS a, paws_sync.subject_for('profiles b') AS b \gset
SELECT paws_sync.register_device(:'a', 'ios') AS a_phone, paws_sync.register_device(:'a', 'web') AS a_tablet,
	paws_sync.register_device(:'b', 'ios') AS b_phone \gset
SELECT item, outcome FROM paws_sync.push(:'a_phone',
	t.ops(t.op(1, 'mood', 1, 0, 'of a'), t.op(2, 'safety_plan', 2, 0, 'of a'), t.op(3, 'plan', 3, 0, 'of a')));
CALL t.wait_applied();
SELECT min(cursor::text) FILTER (WHERE row_number = 1) AS a_first, min(cursor::text) FILTER (WHERE row_number = 3) AS a_cursor
FROM (SELECT row_number() OVER (), cursor FROM paws_sync.pull(:'a_tablet')) AS row \gset

CREATE TEMP TABLE call AS
	SELECT to_regprocedure(name)::oid AS oid, name, 'SELECT * FROM paws_sync.' || call AS statement
	FROM (VALUES
		('paws_sync.subject_for(text)', 'subject_for(''profiles a'')'),
		('paws_sync.register_device(paws_sync.subject,text)', format('register_device(%L, ''ios'')', :'a')),
		('paws_sync.revoke_device(paws_sync.device)', format('revoke_device(%L)', :'a_phone')),
		('paws_sync.devices(paws_sync.subject)', format('devices(%L)', :'a')),
		('paws_sync.sync_status(paws_sync.subject)', format('sync_status(%L)', :'a')),
		('paws_sync.check_subject(paws_sync.subject)', format('check_subject(%L)', :'a')),
		('paws_sync.push(paws_sync.device,jsonb)', format('push(%L, %L)', :'a_phone', t.ops(t.op(4, 'mood', 4, 0, 'x'), t.op(5, 'signal', 5, 0, 'x')))),
		('paws_sync.push_many(paws_sync.device,uuid[],text[],uuid[],bigint[],bytea[],boolean[])',
			format('push_many(%L, %L, ''{mood}'', %L, ''{0}'', ''{x}'')', :'a_phone', ARRAY[t.id(6)], ARRAY[t.id(6)])),
		('paws_sync.pull(paws_sync.device,paws_sync.cursor,integer,integer)', format('pull(%L)', :'a_tablet')),
		('paws_sync.pull_wait(paws_sync.device,paws_sync.cursor,interval,integer,integer)', format('pull_wait(%L)', :'a_tablet')),
		('paws_sync.push_crisis(paws_sync.device,jsonb)', format('push_crisis(%L, %L)', :'a_phone', t.ops(t.op(7, 'signal', 7, 0, 'x')))),
		('paws_sync.pull_crisis(paws_sync.device,paws_sync.cursor,integer,integer)', format('pull_crisis(%L)', :'a_tablet')),
		('paws_sync.crisis_bundle(paws_sync.device,text)', format('crisis_bundle(%L, ''gb'')', :'a_tablet')),
		('paws_sync.set_resource(text,text,text,text)', 'set_resource(''gb'', ''line'', ''call'', ''123'')'),
		('paws_sync.drop_resource(text,text,text)', 'drop_resource(''gb'', ''samaritans'', ''call'')'),
		('paws_sync.list_resources()', 'list_resources()'),
		('paws_sync.receipts(paws_sync.device,uuid[])', format('receipts(%L, %L)', :'a_phone', ARRAY[t.id(1)])),
		('paws_sync.ack(paws_sync.device,paws_sync.cursor)', format('ack(%L, %L)', :'a_tablet', :'a_cursor')),
		('paws_sync.set_entitlement(paws_sync.subject,paws_sync.tier,timestamp with time zone)', format('set_entitlement(%L, ''basic'')', :'a')),
		('paws_sync.define_collection(text,paws_sync.class,text)', 'define_collection(''profiles'', ''bulk'')'),
		('paws_sync.set_policy(paws_sync.class,paws_sync.tier,paws_sync.level,integer)', 'set_policy(''bulk'', ''basic'', ''reduced'', 1000)'),
		('paws_sync.set_tier_policy(paws_sync.tier,integer,integer,bigint,bigint,integer,integer,integer)',
			'set_tier_policy(''basic'', max_devices => 6)'),
		('paws_sync.stat_latency()', 'stat_latency()'),
		('paws_sync.stat_lanes()', 'stat_lanes()'),
		('paws_sync.stat_memory()', 'stat_memory()'),
		('paws_sync.stat_workers()', 'stat_workers()'),
		('paws_sync.stat_reset()', 'stat_reset()'),
		('paws_sync.status()', 'status()'),
		('paws_sync.keyring()', 'keyring()'),
		('paws_sync.log_probe()', 'log_probe()'),
		('paws_sync.log_posture()', 'log_posture()'),
		('paws_sync.manifest()', 'manifest()'),
		('paws_sync.doctor_probe()', 'doctor_probe()'),
		('paws_sync.doctor_server()', 'doctor_server()'),
		('paws_sync.doctor_objects()', 'doctor_objects()'),
		('paws_sync.doctor_stored()', 'doctor_stored()'),
		('paws_sync.doctor()', 'doctor()'),
		('paws_sync.vocabulary()', 'vocabulary()'),
		('paws_sync.check_preload()', 'check_preload()'),
		('paws_sync.check_profile(name,text)', 'check_profile(''regress_paws_none'', ''app'')'),
		('paws_sync.grant_profile(name,text)', 'grant_profile(''regress_paws_none'', ''app'')'),
		('paws_sync.revoke_profile(name,text)', 'revoke_profile(''regress_paws_none'', ''app'')')
	) AS f (name, call)
UNION ALL
	SELECT oid, name, 'SELECT * FROM ' || name FROM cell WHERE kind = 'view' AND name ~ '^paws_sync\.'
		AND privilege = 'SELECT' AND profile = 'none';

-- nothing is left out; must be none
SELECT name FROM cell WHERE kind = 'function' AND name ~ '^paws_sync\.' AND oid NOT IN (SELECT oid FROM type_support)
EXCEPT SELECT name FROM call WHERE oid IS NOT NULL;

CREATE FUNCTION pg_temp.as_role(role text, statement text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	state text;
BEGIN
	BEGIN
		EXECUTE format('SET LOCAL ROLE %I', role);
		EXECUTE statement;
		RAISE EXCEPTION USING ERRCODE = '0K000';
	EXCEPTION WHEN OTHERS THEN
		state := SQLSTATE;
	END;
	RETURN CASE state WHEN '0K000' THEN 'yes' WHEN '42501' THEN '-' ELSE state END;
END
$$;
CREATE TEMP TABLE called AS
	SELECT c.name, h.profile, c.oid, pg_temp.as_role(h.role, c.statement) AS answer FROM call c, holder h;
SELECT regexp_replace(name, '^paws_sync\.(\w+).*', '\1') AS call, max(answer) FILTER (WHERE profile = 'app') AS app,
	max(answer) FILTER (WHERE profile = 'device_gateway') AS gateway, max(answer) FILTER (WHERE profile = 'crisis') AS crisis,
	max(answer) FILTER (WHERE profile = 'billing') AS billing, max(answer) FILTER (WHERE profile = 'operator') AS operator,
	max(answer) FILTER (WHERE profile = 'auditor') AS auditor, max(answer) FILTER (WHERE profile = 'none') AS "none"
FROM called GROUP BY name ORDER BY name COLLATE "C";

-- and that is what is listed; must be none
SELECT c.name, c.profile, c.answer FROM called c
WHERE c.answer <> CASE WHEN EXISTS (SELECT FROM paws_sync.profiles p WHERE p.profile = c.profile AND p.object = c.name) THEN 'yes' ELSE '-' END;

-- tables and sequences: every statement of every profile is refused; must be none
CREATE TEMP TABLE statement AS
	SELECT format(pattern, name, (SELECT quote_ident(attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum = 1)) AS statement
	FROM (SELECT DISTINCT oid, name, kind FROM cell WHERE kind IN ('table', 'view')) AS c, (VALUES
		('SELECT %2$s FROM %1$s'), ('INSERT INTO %1$s DEFAULT VALUES'), ('UPDATE %1$s SET %2$s = NULL'), ('DELETE FROM %1$s'),
		('TRUNCATE %1$s'), ('LOCK TABLE %1$s IN ACCESS SHARE MODE'), ('ALTER TABLE %1$s RENAME TO x'),
		('CREATE TEMP TABLE x (LIKE %1$s)')) AS p (pattern)
	WHERE kind = 'table' OR name !~ '^paws_sync\.' AND pattern ~ '^SELECT'
	UNION ALL SELECT format(pattern, name)
	FROM (SELECT DISTINCT name FROM cell WHERE kind = 'sequence') AS c, (VALUES
		('SELECT nextval(%L)'), ('SELECT setval(%L, 1)'), ('SELECT currval(%L)')) AS p (pattern);
SELECT count(*) > 100 AS statements FROM statement;
SELECT h.profile, s.statement, answer FROM holder h, statement s, pg_temp.as_role(h.role, s.statement) AS answer WHERE answer <> '-'
ORDER BY 1, 2;

-- as it goes on: a backend and a gateway work with a device's token
SELECT format('GRANT USAGE ON SCHEMA t TO %I', role) FROM holder ORDER BY role COLLATE "C" \gexec
SET ROLE regress_paws_app;
SELECT paws_sync.register_device(paws_sync.subject_for('profiles b'), 'web') AS b_tablet \gset
SELECT item, outcome FROM paws_sync.push(:'b_phone',
	t.ops(t.op(1, 'mood', 1, 0, 'of b'), t.op(2, 'safety_plan', 2, 0, 'of b'), t.op(9, 'plan', 9, 0, 'of b')));
CREATE TEMP TABLE answers AS SELECT * FROM paws_sync.push(:'b_phone', '[]');
DROP TABLE answers;
RESET ROLE;
CALL t.wait_applied();
SET ROLE regress_paws_device_gateway;
-- the same op_ids and doc_ids as those of a: both have their own
SELECT lane, kind, collection, t.no(doc_id) AS doc, revision, t.text(payload) AS payload FROM paws_sync.pull(:'a_tablet');
SELECT lane, kind, collection, t.no(doc_id) AS doc, revision, t.text(payload) AS payload FROM paws_sync.pull(:'b_tablet');
SELECT lane, kind, collection, t.no(doc_id) AS doc, revision, t.text(payload) AS payload FROM paws_sync.pull_wait(:'b_tablet');
-- receipts of a's operation 3: b's device knows of none
SELECT t.no(op_id) AS op, outcome, revision FROM paws_sync.receipts(:'b_phone', ARRAY[t.id(1), t.id(3), t.id(9)]);
-- the crisis lane keeps them apart as well
SELECT collection, t.no(doc_id) AS doc, t.text(payload) AS payload FROM paws_sync.pull_crisis(:'a_tablet');
SELECT collection, t.no(doc_id) AS doc, t.text(payload) AS payload FROM paws_sync.pull_crisis(:'b_tablet');
SELECT collection, t.no(doc_id) AS doc, t.text(payload) AS payload FROM paws_sync.crisis_bundle(:'b_tablet') WHERE kind = 'document';
-- a change to a's document 3 has no such document to change
SELECT outcome FROM paws_sync.push(:'b_phone', t.ops(t.op(10, 'plan', 3, 1, 'of b'), t.op(11, 'plan', 3, 0, NULL)));
RESET ROLE;
CALL t.wait_applied();
SET ROLE regress_paws_device_gateway;
SELECT t.no(op_id) AS op, outcome, code FROM paws_sync.receipts(:'b_phone', ARRAY[t.id(10), t.id(11)]);
SELECT t.no(doc_id) AS doc, revision, deleted, t.text(payload) AS payload FROM paws_sync.pull(:'a_tablet') WHERE doc_id = t.id(3);
-- a's cursors are none of b's, and bring nothing of a's
SELECT lane, kind, code, payload FROM paws_sync.pull(:'b_tablet', :'a_cursor');
SELECT count(*) AS of_a FROM paws_sync.pull(:'b_tablet', :'a_first') WHERE payload = 'of a';
\set VERBOSITY sqlstate
SELECT paws_sync.ack(:'b_tablet', :'a_cursor');
-- a gateway has devices' tokens alone
SELECT paws_sync.subject_for('profiles a');
SELECT paws_sync.revoke_device(:'a_phone');
RESET ROLE;

-- a subject's functions show its own devices, and take no device for a subject or the other way about
SET ROLE regress_paws_app;
SELECT count(*) AS devices, bool_and(device::text IN (:'a_phone', :'a_tablet')) AS own FROM paws_sync.devices(:'a');
SELECT count(*) AS devices, bool_and(device::text IN (:'b_phone', :'b_tablet')) AS own FROM paws_sync.sync_status(:'b');
SELECT paws_sync.devices(:'a_phone') IS NULL;
SELECT paws_sync.devices(:'a_phone'::paws_sync.device);
SELECT paws_sync.devices(:'a_phone'::paws_sync.device::paws_sync.subject);
SELECT paws_sync.devices(:'a_phone'::paws_sync.device::text::paws_sync.subject) IS NULL;
SELECT paws_sync.pull(:'a') IS NULL;
SELECT paws_sync.pull(:'a'::paws_sync.subject);
RESET ROLE;

-- who may give profiles: the owner, by membership too; nobody else, even with the right to call
GRANT USAGE ON SCHEMA paws_sync TO regress_paws_none;
GRANT EXECUTE ON FUNCTION paws_sync.grant_profile(name, text), paws_sync.revoke_profile(name, text),
	paws_sync.check_profile(name, text) TO regress_paws_none;
SET ROLE regress_paws_none;
SELECT paws_sync.grant_profile('regress_paws_none', 'app');
SELECT paws_sync.revoke_profile('regress_paws_app', 'app');
RESET ROLE;
DROP OWNED BY regress_paws_none;
CREATE ROLE regress_paws_owner;
DO $$
BEGIN
	EXECUTE format('GRANT %I TO regress_paws_owner', (SELECT pg_get_userbyid(extowner) FROM pg_extension WHERE extname = 'paws_sync'));
END
$$;
SET ROLE regress_paws_owner;
SELECT paws_sync.grant_profile('regress_paws_none', 'crisis');
RESET ROLE;
SELECT has_function_privilege('regress_paws_none', 'paws_sync.push(paws_sync.device, jsonb)', 'EXECUTE') AS granted;
SELECT paws_sync.revoke_profile('regress_paws_none', 'crisis');
DROP ROLE regress_paws_owner;

-- what is refused
\set VERBOSITY default
SELECT paws_sync.grant_profile('regress_paws_nobody', 'app');
\echo :LAST_ERROR_SQLSTATE
SELECT paws_sync.grant_profile('public', 'app');
\echo :LAST_ERROR_SQLSTATE
SELECT paws_sync.grant_profile('REGRESS_PAWS_APP', 'app');
\echo :LAST_ERROR_SQLSTATE
SELECT paws_sync.grant_profile('regress_paws_none', 'superuser');
\echo :LAST_ERROR_SQLSTATE
SELECT paws_sync.revoke_profile('regress_paws_none', 'App');
\echo :LAST_ERROR_SQLSTATE
SELECT paws_sync.grant_profile('regress_paws_none', 'responder');
\echo :LAST_ERROR_SQLSTATE
SELECT paws_sync.grant_profile(NULL, 'app');
\echo :LAST_ERROR_SQLSTATE
SELECT paws_sync.grant_profile('regress_paws_none', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT j.profile, j.name FROM judged j WHERE profile = 'none' AND has AND NOT listed;

-- names are taken letter for letter, and objects in the way of search_path are not seen
CREATE ROLE "regress_paws ""x"", public; --";
CREATE SCHEMA regress_paws_trap
	CREATE VIEW pg_roles AS SELECT 'public'::name AS rolname, 0::oid AS oid
	CREATE VIEW profiles AS SELECT 'app' AS profile, 'ALL' AS privilege, 'schema' AS kind, 'public' AS object;
SET search_path = regress_paws_trap, paws_sync, pg_catalog;
SELECT grant_profile('regress_paws "x", public; --', 'billing');
RESET search_path;
SELECT has_schema_privilege('regress_paws "x", public; --', 'paws_sync', 'USAGE') AS granted,
	has_schema_privilege('regress_paws_none', 'paws_sync', 'USAGE') AS others;
SELECT paws_sync.revoke_profile('regress_paws "x", public; --', 'billing');
DROP ROLE "regress_paws ""x"", public; --";
DROP SCHEMA regress_paws_trap CASCADE;

-- Several profiles: what another one gives stays, what is contained goes along. Twice is as good as once.
CREATE TEMP VIEW held AS
	SELECT profile FROM paws_sync.profiles p
	WHERE EXISTS (SELECT FROM judged j WHERE j.profile = 'none' AND j.kind = p.kind AND j.name = p.object AND j.privilege = p.privilege AND j.has)
	GROUP BY profile HAVING count(*) = (SELECT count(*) FROM paws_sync.profiles a WHERE a.profile = p.profile);
SELECT paws_sync.grant_profile('regress_paws_none', p) FROM unnest('{app,app,billing,auditor}'::text[]) AS p;
SELECT string_agg(profile, ' ' ORDER BY profile COLLATE "C") AS held FROM held;
SELECT paws_sync.revoke_profile('regress_paws_none', 'billing');
SELECT paws_sync.revoke_profile('regress_paws_none', 'billing');
SELECT string_agg(profile, ' ' ORDER BY profile COLLATE "C") AS held FROM held;
SELECT paws_sync.revoke_profile('regress_paws_none', 'crisis');
SELECT string_agg(profile, ' ' ORDER BY profile COLLATE "C") AS held FROM held;
SELECT paws_sync.revoke_profile('regress_paws_none', 'app');
SELECT string_agg(profile, ' ' ORDER BY profile COLLATE "C") AS held FROM held;
SELECT paws_sync.revoke_profile('regress_paws_none', 'auditor');
SELECT name, privilege FROM judged WHERE profile = 'none' AND has AND NOT listed;

-- what was given can be taken whole: the roles can be dropped
SELECT format('REVOKE USAGE ON SCHEMA t FROM %I', role) FROM holder ORDER BY role COLLATE "C" \gexec
SELECT profile, paws_sync.revoke_profile(role, profile) FROM holder WHERE profile <> 'none' ORDER BY profile COLLATE "C";
SELECT format('DROP ROLE %I', role) FROM holder ORDER BY role COLLATE "C" \gexec
SELECT rolname FROM pg_roles WHERE rolname ~ '^regress_paws';
