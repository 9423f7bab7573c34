\pset format unaligned
-- Who may do what, cell by cell. What a role has of each object of the extension, with every privilege that there is on its
-- kind, is what the view paws_sync.profiles lists for the profiles that it was given, and nothing else. Then it is tried.
-- Objects and cells come from the catalogs, so what is new is tested by itself. Each query with "must be none" shows
-- what breaks its rule.
\set SHOW_CONTEXT never
SET client_min_messages = warning;

-- Roles: with each profile, with none, with two, with all; with a profile, or one of two, taken back; members of a role
-- with a profile; one with the attributes that a role may have; and everybody. "holds" is what each should have.
CREATE TEMP TABLE holder AS
	WITH line AS (SELECT profile, array_agg(kind || ' ' || object || ' ' || privilege) AS lines FROM paws_sync.profiles GROUP BY profile)
	SELECT 'regress_paws_' || profile AS role, ARRAY[profile] AS given, '{}'::text[] AS taken, ARRAY[profile] AS holds, true AS single FROM line
	UNION ALL SELECT 'regress_paws_none', '{}', '{}', '{}', true
	UNION ALL SELECT 'regress_paws_all', array_agg(profile), '{}', array_agg(profile), true FROM line
	UNION ALL SELECT concat_ws('_', 'regress_paws', a.profile, b.profile), ARRAY[a.profile, b.profile], '{}', ARRAY[a.profile, b.profile], false
		FROM line a JOIN line b ON a.profile < b.profile
	UNION ALL SELECT 'regress_paws_ex_' || profile, ARRAY[profile], ARRAY[profile], '{}', false FROM line
	-- a profile that is contained in the one that is taken goes with it
	UNION ALL SELECT concat_ws('_', 'regress_paws', b.profile, 'ex', a.profile), ARRAY[a.profile, b.profile], ARRAY[a.profile],
		CASE WHEN b.lines <@ a.lines THEN '{}' ELSE ARRAY[b.profile] END, false
		FROM line a JOIN line b ON a.profile <> b.profile;
SELECT count(*) > 50 AS roles, count(*) FILTER (WHERE holds = '{}') > 10 AS with_nothing FROM holder;
CREATE FUNCTION pg_temp.run(statement text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE statement; END';
SELECT count(pg_temp.run(format('CREATE ROLE %I', role))) > 50 AS created FROM holder;
SELECT count(paws_sync.grant_profile(role, profile)) > 50 AS granted FROM holder, unnest(given) AS profile;
SELECT count(paws_sync.revoke_profile(role, profile)) > 30 AS taken FROM holder, unnest(taken) AS profile;
INSERT INTO holder SELECT DISTINCT 'regress_paws_member_' || profile, '{}'::text[], '{}'::text[], ARRAY[profile], false FROM paws_sync.profiles;
SELECT count(pg_temp.run(format('CREATE ROLE %I IN ROLE %I', role, replace(role, 'member_', '')))) > 5 AS created FROM holder WHERE role ~ 'member';
CREATE ROLE regress_paws_reluctant NOINHERIT IN ROLE regress_paws_all;
CREATE ROLE regress_paws_attributes LOGIN CREATEDB CREATEROLE REPLICATION BYPASSRLS;
INSERT INTO holder VALUES ('regress_paws_reluctant', '{}', '{}', '{}', false), ('regress_paws_attributes', '{}', '{}', '{}', false),
	('public', '{}', '{}', '{}', false);

-- Objects: all that is in a schema of ours, whether the extension made it or not, with the parts that have rights of their own.
CREATE TEMP VIEW member AS
	SELECT d.classid, d.objid AS oid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'paws_sync';
CREATE TEMP VIEW object AS
	WITH ours AS (SELECT oid FROM member WHERE classid = 'pg_namespace'::regclass),
	relation AS (SELECT * FROM pg_class c WHERE relkind NOT IN ('i', 'I', 'c')
		AND (relnamespace IN (SELECT oid FROM ours) OR oid IN (SELECT reltoastrelid FROM pg_class WHERE relnamespace IN (SELECT oid FROM ours))))
	SELECT 'schema' AS kind, oid, 0::int2 AS attnum, oid::regnamespace::text AS name, '{USAGE,CREATE}'::text[] AS privileges FROM ours
	UNION ALL SELECT 'type', oid, 0, oid::regtype::text, '{USAGE}' FROM pg_type WHERE typnamespace IN (SELECT oid FROM ours)
	UNION ALL SELECT 'function', oid, 0, oid::regprocedure::text, '{EXECUTE}' FROM pg_proc WHERE pronamespace IN (SELECT oid FROM ours)
	UNION ALL SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' WHEN 't' THEN 'toast table' ELSE 'table' END, oid, 0,
		oid::regclass::text, CASE relkind WHEN 'S' THEN '{USAGE,SELECT,UPDATE}'::text[]
			ELSE '{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}' END FROM relation
	UNION ALL SELECT 'column', r.oid, a.attnum, r.oid::regclass || '.' || quote_ident(a.attname), '{SELECT,INSERT,UPDATE,REFERENCES}'
		FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND NOT a.attisdropped
	UNION ALL SELECT 'setting', 0, 0, name, '{SET,ALTER SYSTEM}' FROM pg_settings WHERE name ~ '^paws_sync\.';
-- everybody may execute what stands behind a type, an operator, an operator class or a cast
CREATE TEMP VIEW type_support AS
	SELECT unnest(ARRAY[typinput, typoutput, typreceive, typsend]::oid[]) AS oid FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.oid = t.oid
	UNION SELECT oprcode FROM pg_operator o JOIN member m ON m.classid = 'pg_operator'::regclass AND m.oid = o.oid
	UNION SELECT amproc FROM pg_amproc a JOIN member m ON m.classid = 'pg_opfamily'::regclass AND m.oid = a.amprocfamily
	UNION SELECT castfunc FROM pg_cast c JOIN member m ON m.classid = 'pg_cast'::regclass AND m.oid = c.oid;

-- every member is among them, but for what can have no rights; a new class of objects has to be put in. Must be none
SELECT DISTINCT pg_describe_object(classid, oid, 0) FROM member WHERE oid NOT IN (SELECT oid FROM object)
	AND classid NOT IN ('pg_cast'::regclass, 'pg_opclass'::regclass, 'pg_operator'::regclass, 'pg_opfamily'::regclass);
-- nothing else is in a schema of ours, but for indexes, toast tables and the types of rows and arrays; must be none
SELECT kind, name FROM object o WHERE kind NOT IN ('column', 'setting', 'toast table') AND oid NOT IN (SELECT oid FROM member)
	AND NOT (kind = 'type' AND EXISTS (SELECT FROM pg_type t WHERE t.oid = o.oid AND (t.typrelid <> 0 OR t.typelem <> 0)));
-- no setting is everybody's; must be none
SELECT name FROM pg_settings WHERE name ~ '^paws_sync\.' AND context NOT IN ('postmaster', 'sighup', 'superuser');

-- What is listed. A view brings its columns, a type its arrays.
CREATE TEMP VIEW listed AS
	WITH line AS (SELECT profile, privilege, kind, CASE kind WHEN 'schema' THEN to_regnamespace(object)::oid WHEN 'type' THEN to_regtype(object)::oid
			WHEN 'function' THEN to_regprocedure(object)::oid WHEN 'view' THEN to_regclass(object)::oid END AS oid
		FROM paws_sync.profiles)
	SELECT profile, kind, oid, 0::int2 AS attnum, privilege FROM line
	UNION ALL SELECT l.profile, 'column', l.oid, a.attnum, l.privilege FROM line l JOIN pg_attribute a ON a.attrelid = l.oid WHERE l.kind = 'view'
	UNION ALL SELECT l.profile, 'type', t.typarray, 0, l.privilege FROM line l JOIN pg_type t ON t.oid = l.oid WHERE l.kind = 'type';
CREATE TEMP VIEW judged AS
	SELECT h.role, o.kind, o.name, c.privilege, CASE o.kind
			WHEN 'schema' THEN has_schema_privilege(h.role, o.oid, c.privilege)
			WHEN 'type' THEN has_type_privilege(h.role, o.oid, c.privilege)
			WHEN 'function' THEN has_function_privilege(h.role, o.oid, c.privilege)
			WHEN 'sequence' THEN has_sequence_privilege(h.role, o.oid, c.privilege)
			WHEN 'column' THEN has_column_privilege(h.role, o.oid, o.attnum::int2, c.privilege)
			WHEN 'setting' THEN has_parameter_privilege(h.role, o.name, c.privilege)
			ELSE has_table_privilege(h.role, o.oid, c.privilege) END AS has,
		l.role IS NOT NULL AS listed
	FROM holder h CROSS JOIN object o CROSS JOIN LATERAL unnest(o.privileges) AS c (privilege)
	LEFT JOIN (SELECT DISTINCT h.role, l.kind, l.oid, l.attnum, l.privilege FROM holder h JOIN listed l ON l.profile = ANY (h.holds)
		UNION SELECT h.role, 'function', oid, 0, 'EXECUTE' FROM holder h, type_support) AS l
		ON l.role = h.role AND l.kind = o.kind AND l.oid = o.oid AND l.attnum = o.attnum AND l.privilege = c.privilege;

-- The matrix. Every kind is there; each role has exactly what is listed; must be none
CREATE TEMP TABLE matrix AS SELECT * FROM judged;
SELECT kind, count(DISTINCT name) > 0 AS objects, count(DISTINCT privilege) AS privileges, bool_or(listed) AS listed FROM matrix GROUP BY kind ORDER BY kind COLLATE "C";
SELECT count(*) > 200000 AS cells, count(*) FILTER (WHERE has) > 2000 AS allowed FROM matrix;
SELECT role, kind, name, privilege, has, listed FROM matrix WHERE has <> listed ORDER BY 1, 2, 3, 4;
-- every line of the view is a cell; must be none
SELECT profile, kind, object FROM paws_sync.profiles p
WHERE NOT EXISTS (SELECT FROM matrix m WHERE m.role = 'regress_paws_' || p.profile AND m.kind = p.kind AND m.name = p.object AND m.privilege = p.privilege AND m.has);
-- nobody may pass anything on; must be none
SELECT pg_describe_object(a.classid, a.oid, a.attnum), acl.grantee::regrole, acl.privilege_type
FROM (SELECT 'pg_namespace'::regclass AS classid, oid, 0 AS attnum, nspacl AS acl, nspowner AS owner FROM pg_namespace
	UNION ALL SELECT 'pg_type'::regclass, oid, 0, typacl, typowner FROM pg_type
	UNION ALL SELECT 'pg_proc'::regclass, oid, 0, proacl, proowner FROM pg_proc
	UNION ALL SELECT 'pg_class'::regclass, oid, 0, relacl, relowner FROM pg_class
	UNION ALL SELECT 'pg_class'::regclass, attrelid, a.attnum, attacl, relowner FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid) AS a
	CROSS JOIN LATERAL aclexplode(a.acl) AS acl
WHERE a.oid IN (SELECT oid FROM object) AND acl.is_grantable AND acl.grantee <> a.owner;

-- no profile has these: what is called by the extension itself, and what gives profiles
SELECT kind, name FROM matrix m WHERE kind IN ('function', 'view', 'type') AND privilege IN ('EXECUTE', 'SELECT', 'USAGE')
	AND NOT EXISTS (SELECT FROM object o JOIN pg_type t ON t.oid = o.oid WHERE m.kind = 'type' AND o.kind = 'type' AND o.name = m.name AND (t.typrelid <> 0 OR t.typelem <> 0))
GROUP BY kind, name HAVING NOT bool_or(has) ORDER BY kind COLLATE "C", name COLLATE "C";

-- who may call a function may use the types that it takes and returns; who may read a view may call what stands
-- behind it (but for the view of profiles, which only names them); must be none
SELECT f.profile, p.oid::regprocedure, t.oid::regtype FROM listed f JOIN pg_proc p ON p.oid = f.oid
CROSS JOIN LATERAL unnest(p.prorettype || coalesce(p.proallargtypes, p.proargtypes::oid[])) AS a (type)
JOIN pg_type t ON t.oid = a.type JOIN object o ON o.kind = 'type' AND o.oid = t.oid
WHERE f.kind = 'function' AND NOT EXISTS (SELECT FROM listed l WHERE l.profile = f.profile AND l.kind = 'type' AND l.oid = t.oid);
SELECT v.profile, v.oid::regclass, d.refobjid::regprocedure
FROM listed v JOIN pg_rewrite r ON r.ev_class = v.oid JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
JOIN object f ON f.kind = 'function' AND d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
WHERE v.kind = 'view' AND v.oid <> 'paws_sync.profiles'::regclass AND f.oid NOT IN (SELECT oid FROM type_support)
	AND NOT EXISTS (SELECT FROM listed l WHERE l.profile = v.profile AND l.kind = 'function' AND l.oid = f.oid);

-- That says something only if the matrix finds what is wrong. New objects as the server makes them, rights of every kind
-- beside the profiles, and one that is missing:
BEGIN;
CREATE FUNCTION paws_sync.added() RETURNS integer LANGUAGE sql RETURN 1;
CREATE DOMAIN paws_care.added AS integer;
CREATE TABLE paws_care.added_table (a integer);
CREATE VIEW paws_sync.added_view AS SELECT 1 AS one;
GRANT SELECT ON paws_sync.added_view TO PUBLIC;
ALTER EXTENSION paws_sync ADD FUNCTION paws_sync.added();
ALTER EXTENSION paws_sync ADD TABLE paws_care.added_table;
GRANT CREATE ON SCHEMA paws_sync TO regress_paws_none;
GRANT USAGE ON SCHEMA paws_vault TO regress_paws_operator;
GRANT SELECT (envelope), REFERENCES (doc_id) ON paws_care.document TO regress_paws_auditor;
GRANT UPDATE (xmax) ON paws_crisis.document TO regress_paws_crisis;
GRANT TRUNCATE, TRIGGER ON paws_queue.operation TO regress_paws_ex_operator;
GRANT USAGE ON SEQUENCE paws_queue.operation_id TO regress_paws_app;
GRANT EXECUTE ON FUNCTION paws_sync.check_profile(name, text) TO regress_paws_billing;
GRANT SET ON PARAMETER paws_sync.log_scrub TO regress_paws_operator;
GRANT INSERT ON paws_sync.policy TO regress_paws_operator;
REVOKE EXECUTE ON FUNCTION paws_sync.push_crisis(paws_sync.device, jsonb) FROM regress_paws_crisis;
SELECT role, kind, name, privilege, has, listed FROM judged WHERE has <> listed
	AND role IN ('public', 'regress_paws_none', 'regress_paws_crisis', 'regress_paws_operator', 'regress_paws_auditor', 'regress_paws_billing',
		'regress_paws_app', 'regress_paws_ex_operator') AND (role = 'public' OR name !~ 'added')
ORDER BY role COLLATE "C", kind COLLATE "C", name COLLATE "C", privilege;
SELECT kind, name FROM object o WHERE kind IN ('function', 'view', 'table', 'type') AND oid NOT IN (SELECT oid FROM member) AND name ~ 'added' AND name !~ '_table|_view|\[\]'
ORDER BY 1, 2;
ROLLBACK;

CREATE TEMP TABLE thing AS SELECT kind, oid, name FROM object WHERE kind <> 'column';
CREATE TEMP TABLE line AS SELECT profile, kind, oid FROM listed;
ANALYZE thing, line;
-- Rights are one thing, calls another: each function and view is really used as each role, and rolled back. What is
-- granted works through to its end, what is not is refused.
SELECT paws_sync.subject_for('matrix') AS a \gset
SELECT paws_sync.register_device(:'a', 'ios') AS phone, paws_sync.register_device(:'a', 'web') AS tablet \gset
SELECT item, outcome FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'x'), t.op(2, 'safety_plan', 2, 0, 'x'), t.op(3, 'plan', 3, 0, 'x')));
CALL t.wait_applied();
SELECT max(cursor::text) FILTER (WHERE row_number = 3) AS cursor FROM (SELECT row_number() OVER (), cursor FROM paws_sync.pull(:'tablet')) AS row \gset
SELECT paws_sync.define_topic('matrix'), paws_sync.define_topic('matrix_jobs');
SELECT outcome FROM paws_sync.submit('matrix_jobs', 'x') UNION ALL SELECT outcome FROM paws_sync.submit('matrix_jobs', 'y');
SELECT job, fence FROM paws_sync.claim('{matrix_jobs}') \gset
CREATE TEMP TABLE call AS
	SELECT f.name, p.oid, p.oid::regproc || '(' || f.arguments || ')' AS call
	FROM (VALUES
		('subject_for', '''matrix'''),
		('register_device', format('%L, ''ios''', :'a')),
		('revoke_device', format('%L', :'phone')),
		('devices', format('%L', :'a')),
		('sync_status', format('%L', :'a')),
		('check_subject', format('%L', :'a')),
		('push', format('%L, %L', :'phone', t.ops(t.op(4, 'mood', 4, 0, 'x'), t.op(5, 'signal', 5, 0, 'x')))),
		('push_many', format('%L, %L, ''{mood}'', %L, ''{0}'', ''{x}''', :'phone', ARRAY[t.id(6)], ARRAY[t.id(6)])),
		('pull', format('%L', :'tablet')),
		('pull_wait', format('%L', :'tablet')),
		('push_crisis', format('%L, %L', :'phone', t.ops(t.op(7, 'signal', 7, 0, 'x')))),
		('pull_crisis', format('%L', :'tablet')),
		('pull_crisis_wait', format('%L, NULL, ''1 ms''', :'tablet')),
		('crisis_bundle', format('%L, ''gb''', :'tablet')),
		('raise_crisis', format('%L, ''self_report'', ''low''', :'a')),
		('resolve_crisis', '''00000000-0000-4000-8000-000000000001'''),
		('receipts', format('%L, %L', :'phone', ARRAY[t.id(1)])),
		('ack', format('%L, %L', :'tablet', :'cursor')),
		('forget', format('%L', :'a')),
		('erasure_status', format('%L', :'a')),
		('verify_certificate', '''no certificate'''),
		('certificate_key', ''),
		('rotate_keys', '''epochs'''),
		('adopt_keys', ''),
		('key_status', ''),
		('keyring', ''),
		('set_entitlement', format('%L, ''basic''', :'a')),
		('define_collection', '''matrix'', ''bulk'''),
		('set_policy', '''bulk'', ''basic'', ''reduced'', 1000'),
		('set_tier_policy', '''basic'', max_devices => 6'),
		('pause_level', '''bulk'''),
		('resume_level', '''bulk'''),
		('set_resource', '''gb'', ''line'', ''call'', ''123'''),
		('drop_resource', '''gb'', ''samaritans'', ''call'''),
		('list_resources', ''),
		('verify_crisis_audit', ''),
		('stat_latency', ''),
		('horizon_since', '3'),
		('horizon_counts', '1'),
		('horizon_cost', '''{3}'''),
		('stat_horizon', ''),
		('stat_lanes', ''),
		('stat_memory', ''),
		('stat_workers', ''),
		('define_topic', '''matrix_2'''),
		('drop_topic', '''matrix'''),
		('topics', ''),
		('pause_topic', '''matrix'''),
		('resume_topic', '''matrix'''),
		('submit', '''matrix_jobs'', ''x'''),
		('submit_many', format('''matrix_jobs'', ''{x}'', subjects => ARRAY[%L]::paws_sync.subject[]', :'a')),
		('claim', '''{matrix_jobs}'''),
		('claim_wait', '''{matrix_jobs}'', timeout => ''0'''),
		('extend', '1, 1'),
		('release', '1, 1'),
		('snooze', '1, 1, ''1 s'''),
		('fail', '1, 1'),
		('complete', format('%s, %s', :'job', :'fence')),
		('complete_many', '''{1}'', ''{1}'''),
		('cancel', '1'),
		('job_status', '1'),
		('dead_letters', '''matrix_jobs'''),
		('redrive', '''matrix_jobs'''),
		('stat_topics', ''),
		('stat_reset', ''),
		('stat_admission', ''),
		('stat_reserve', ''),
		('stat_crisis', ''),
		('stat_crisis_refusals', ''),
		('stat_alarms', ''),
		('status', ''),
		('log_probe', ''),
		('log_posture', ''),
		('manifest', ''),
		('doctor_probe', ''),
		('doctor_server', ''),
		('doctor_objects', ''),
		('doctor_stored', ''),
		('doctor_horizon', ''),
		('doctor', ''),
		('vocabulary', ''),
		('check_preload', ''),
		('check_profile', '''regress_paws_none'', ''app'''),
		('grant_profile', '''regress_paws_none'', ''app'''),
		('revoke_profile', '''regress_paws_none'', ''app'''),
		('paused_level_changed', ''),
		('policy_changed', ''),
		('subject_changed', '')
	) AS f (name, arguments) LEFT JOIN (pg_proc p JOIN thing o ON o.kind = 'function' AND o.oid = p.oid) ON p.proname = f.name;
-- nothing is left out, and nothing stands twice; must be none
SELECT name FROM thing WHERE kind = 'function' AND oid NOT IN (SELECT oid FROM type_support) AND oid NOT IN (SELECT oid FROM call WHERE oid IS NOT NULL);
SELECT name FROM call WHERE oid IS NULL OR oid IN (SELECT oid FROM call GROUP BY oid HAVING count(*) > 1);

-- "yes" if the statement goes through, the SQLSTATE if not, "-" for insufficient_privilege
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
	SELECT c.kind, c.name, h.role, c.oid, pg_temp.as_role(h.role, 'SELECT * FROM ' || c.call) AS answer
	FROM (SELECT 'function' AS kind, oid, name, call FROM call
		UNION ALL SELECT 'view', oid, regexp_replace(name, '.*\.', ''), name FROM thing WHERE kind = 'view') AS c, holder h WHERE h.role <> 'public';
SELECT name AS call, max(answer) FILTER (WHERE role = 'regress_paws_app') AS app,
	max(answer) FILTER (WHERE role = 'regress_paws_device_gateway') AS gateway, max(answer) FILTER (WHERE role = 'regress_paws_crisis') AS crisis,
	max(answer) FILTER (WHERE role = 'regress_paws_responder') AS responder,
	max(answer) FILTER (WHERE role = 'regress_paws_billing') AS billing, max(answer) FILTER (WHERE role = 'regress_paws_operator') AS operator,
	max(answer) FILTER (WHERE role = 'regress_paws_auditor') AS auditor, max(answer) FILTER (WHERE role = 'regress_paws_none') AS "none"
FROM called GROUP BY kind, name ORDER BY kind COLLATE "C", name COLLATE "C";
-- for every role that is what is listed; must be none
SELECT c.name, c.role, c.answer FROM called c JOIN holder h USING (role)
WHERE c.answer <> CASE WHEN EXISTS (SELECT FROM line l WHERE l.profile = ANY (h.holds) AND l.kind = c.kind AND l.oid = c.oid) THEN 'yes' ELSE '-' END;

-- a type is used by whom it is listed for; must be none
SELECT h.role, o.name, answer FROM holder h, thing o, pg_temp.as_role(h.role, format('CREATE TEMP TABLE x (a %s)', o.name)) AS answer
WHERE h.single AND o.kind = 'type'
	AND answer <> CASE WHEN EXISTS (SELECT FROM line l WHERE l.profile = ANY (h.holds) AND l.kind = 'type' AND l.oid = o.oid) THEN 'yes' ELSE '-' END;

-- Everything else that can be said about an object of ours. A schema in which all may create things is there for what
-- needs one.
CREATE SCHEMA regress_paws_lab;
GRANT ALL ON SCHEMA regress_paws_lab TO PUBLIC;
CREATE FUNCTION regress_paws_lab.trap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TEMP TABLE pattern (kind text, pattern text);
-- %1 name, %2 a column, %3 oid, %4 columns of a key with their types, %5 their names
INSERT INTO pattern SELECT 'table', unnest(ARRAY['SELECT %2$s FROM %1$s', 'SELECT FROM %1$s', 'SELECT ctid, xmin FROM %1$s',
		'SELECT x FROM %1$s x', 'TABLE %1$s', 'SELECT FROM %1$s FOR KEY SHARE', 'SELECT count(*) FROM %1$s TABLESAMPLE SYSTEM (100)',
		'WITH x AS MATERIALIZED (SELECT * FROM %1$s) SELECT FROM x', 'SELECT EXISTS (SELECT FROM %1$s)', 'EXPLAIN SELECT * FROM %1$s',
		'EXPLAIN (ANALYZE) DELETE FROM %1$s', 'DECLARE x CURSOR FOR SELECT * FROM %1$s', 'DECLARE x CURSOR WITH HOLD FOR TABLE %1$s',
		'INSERT INTO %1$s DEFAULT VALUES', 'INSERT INTO %1$s (%2$s) SELECT %2$s FROM %1$s',
		'INSERT INTO %1$s DEFAULT VALUES ON CONFLICT DO NOTHING',
		'INSERT INTO %1$s (%2$s) VALUES (NULL) ON CONFLICT (%5$s) DO UPDATE SET %2$s = EXCLUDED.%2$s', 'UPDATE %1$s SET %2$s = NULL',
		'UPDATE %1$s SET %2$s = DEFAULT', 'DELETE FROM %1$s', 'DELETE FROM %1$s WHERE false RETURNING *',
		'MERGE INTO %1$s USING (VALUES (1)) AS x ON false WHEN NOT MATCHED THEN INSERT DEFAULT VALUES',
		'MERGE INTO %1$s x USING %1$s y ON true WHEN MATCHED THEN DELETE',
		'MERGE INTO %1$s USING (VALUES (1)) AS x ON true WHEN MATCHED THEN UPDATE SET %2$s = NULL', 'TRUNCATE %1$s', 'TRUNCATE %1$s CASCADE',
		'LOCK TABLE %1$s IN ACCESS SHARE MODE', 'LOCK TABLE %1$s', 'SELECT table_to_xml(%3$s::oid::regclass, true, true, '''')',
		'SELECT query_to_xml(''TABLE %1$s'', true, true, '''')', 'CREATE TEMP TABLE x AS TABLE %1$s', 'CREATE TEMP TABLE x (LIKE %1$s)',
		'CREATE TEMP TABLE x () INHERITS (%1$s)', 'CREATE TABLE regress_paws_lab.x (%4$s, FOREIGN KEY (%5$s) REFERENCES %1$s (%5$s))',
		'CREATE INDEX ON %1$s ((1))', 'CREATE STATISTICS regress_paws_lab.x ON (%2$s), (%2$s) FROM %1$s',
		'CREATE TRIGGER x BEFORE INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION regress_paws_lab.trap()',
		'CREATE RULE x AS ON INSERT TO %1$s DO ALSO NOTIFY x', 'CREATE POLICY x ON %1$s',
		'CREATE VIEW pg_temp.x AS SELECT * FROM %1$s; SELECT * FROM x', 'CREATE MATERIALIZED VIEW regress_paws_lab.x AS TABLE %1$s',
		'CREATE FUNCTION pg_temp.x() RETURNS void LANGUAGE sql SECURITY DEFINER AS ''SELECT FROM %1$s''; SELECT pg_temp.x()',
		'DO ''BEGIN DELETE FROM %1$s; END''', 'ALTER TABLE %1$s ADD x integer', 'ALTER TABLE %1$s DROP %2$s', 'ALTER TABLE %1$s RENAME TO x',
		'ALTER TABLE %1$s OWNER TO CURRENT_USER', 'ALTER TABLE %1$s DISABLE TRIGGER ALL', 'ALTER TABLE %1$s ENABLE ROW LEVEL SECURITY',
		'ALTER TABLE %1$s SET SCHEMA regress_paws_lab', 'ALTER TABLE %1$s SET UNLOGGED', 'ALTER TABLE %1$s ALTER %2$s SET DEFAULT NULL',
		'CREATE TEMP TABLE x (a integer); ALTER TABLE x INHERIT %1$s', 'REINDEX TABLE %1$s', 'CLUSTER %1$s', 'GRANT SELECT ON %1$s TO PUBLIC',
		'REVOKE ALL ON %1$s FROM PUBLIC'])
	UNION ALL SELECT 'toast table', unnest(ARRAY['SELECT chunk_data FROM %1$s', 'SELECT FROM %1$s', 'DELETE FROM %1$s',
		'SELECT table_to_xml(%3$s::oid::regclass, true, true, '''')'])
	UNION ALL SELECT 'sequence', unnest(ARRAY['SELECT nextval(%3$s::oid::regclass)', 'SELECT setval(%3$s::oid::regclass, 1)',
		'SELECT currval(%3$s::oid::regclass)', 'SELECT nextval(''%1$s'')', 'SELECT last_value FROM %1$s', 'SELECT pg_sequence_last_value(%3$s)',
		'ALTER SEQUENCE %1$s RESTART', 'ALTER SEQUENCE %1$s OWNED BY NONE',
		'CREATE TEMP TABLE x (a bigint DEFAULT nextval(''%1$s'')); INSERT INTO x DEFAULT VALUES', 'GRANT ALL ON SEQUENCE %1$s TO PUBLIC'])
	UNION ALL SELECT 'view', unnest(ARRAY['CREATE OR REPLACE VIEW %1$s AS SELECT 1 AS one',
		'ALTER VIEW %1$s RESET (security_barrier, security_invoker)', 'ALTER VIEW %1$s RENAME TO x', 'ALTER VIEW %1$s OWNER TO CURRENT_USER',
		'LOCK TABLE %1$s', 'CREATE RULE x AS ON INSERT TO %1$s DO INSTEAD NOTHING',
		'CREATE TRIGGER x INSTEAD OF INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION regress_paws_lab.trap()'])
	UNION ALL SELECT 'schema', unnest(ARRAY['CREATE TABLE %1$s.x (a integer)',
		'CREATE FUNCTION %1$s.x() RETURNS integer LANGUAGE sql AS ''SELECT 1''', 'CREATE DOMAIN %1$s.x AS integer', 'CREATE SEQUENCE %1$s.x',
		'CREATE VIEW %1$s.x AS SELECT 1', 'CREATE OPERATOR %1$s.=== (FUNCTION = int4eq, LEFTARG = integer, RIGHTARG = integer)',
		'ALTER FUNCTION regress_paws_lab.trap() SET SCHEMA %1$s', 'ALTER SCHEMA %1$s RENAME TO x', 'ALTER SCHEMA %1$s OWNER TO CURRENT_USER'])
	UNION ALL SELECT 'function', unnest(ARRAY['ALTER FUNCTION %1$s OWNER TO CURRENT_USER', 'ALTER FUNCTION %1$s RESET ALL',
		'ALTER FUNCTION %1$s SET search_path = regress_paws_lab', 'ALTER FUNCTION %1$s SECURITY INVOKER', 'ALTER FUNCTION %1$s RENAME TO x',
		'ALTER FUNCTION %1$s SET SCHEMA regress_paws_lab'])
	UNION ALL SELECT 'type', unnest(ARRAY['CREATE CAST (%1$s AS text) WITH INOUT AS IMPLICIT', 'CREATE CAST (bytea AS %1$s) WITHOUT FUNCTION',
		'ALTER TYPE %1$s OWNER TO CURRENT_USER', 'ALTER TYPE %1$s SET SCHEMA regress_paws_lab',
		'CREATE OPERATOR CLASS regress_paws_lab.x DEFAULT FOR TYPE %1$s USING hash AS STORAGE %1$s']);
CREATE TEMP TABLE statement AS
	SELECT o.kind, format(p.pattern, o.name, c.first, o.oid, k.columns, k.names) AS statement
	FROM thing o JOIN pattern p USING (kind)
	LEFT JOIN LATERAL (SELECT quote_ident(attname) AS first FROM pg_attribute a WHERE o.kind = 'table' AND a.attrelid = o.oid AND attnum > 0 AND attidentity = ''
		ORDER BY attnum LIMIT 1) AS c ON true
	LEFT JOIN LATERAL (SELECT string_agg(a.attname || ' ' || coalesce(nullif(t.typbasetype, 0), t.oid)::regtype, ', ') AS columns, string_agg(a.attname, ', ') AS names
		FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) JOIN pg_type t ON t.oid = a.atttypid
		WHERE i.indexrelid = (SELECT u.indexrelid FROM pg_index u WHERE u.indrelid = o.oid AND u.indisunique ORDER BY u.indisprimary DESC LIMIT 1)) AS k ON true
	WHERE NOT (o.kind = 'type' AND EXISTS (SELECT FROM pg_type t WHERE t.oid = o.oid AND (t.typrelid <> 0 OR t.typelem <> 0)))
		AND NOT (o.kind = 'table' AND k.names IS NULL AND strpos(p.pattern, '%5$s') > 0) -- a table without a key
	UNION ALL
	-- whatever the extension consists of
	SELECT 'member', format(pattern, i.type, i.identity) FROM member m, pg_identify_object(m.classid, m.oid, 0) AS i,
		unnest('{DROP %1$s %2$s CASCADE,COMMENT ON %1$s %2$s IS NULL,ALTER EXTENSION paws_sync DROP %1$s %2$s}'::text[]) AS pattern
	UNION ALL SELECT 'extension', unnest('{DROP EXTENSION paws_sync CASCADE,ALTER EXTENSION paws_sync UPDATE,ALTER EXTENSION paws_sync SET SCHEMA regress_paws_lab,
		ALTER EXTENSION paws_sync ADD FUNCTION regress_paws_lab.trap(),COMMENT ON EXTENSION paws_sync IS NULL}'::text[])
	-- no other way to the library
	UNION ALL SELECT 'library', unnest(ARRAY['LOAD ''paws_sync''',
		'CREATE FUNCTION pg_temp.x(paws_sync.device, jsonb) RETURNS integer LANGUAGE c AS ''$libdir/paws_sync'', ''paws_push''',
		'GRANT ' || quote_ident(o.rolname) || ' TO CURRENT_USER', 'ALTER ROLE ' || quote_ident(o.rolname) || ' SET search_path = regress_paws_lab',
		'ALTER DEFAULT PRIVILEGES FOR ROLE ' || quote_ident(o.rolname) || ' GRANT SELECT ON TABLES TO PUBLIC',
		'DROP OWNED BY ' || quote_ident(o.rolname), 'REASSIGN OWNED BY ' || quote_ident(o.rolname) || ' TO CURRENT_USER',
		'SET session_replication_role = replica', 'SET session_preload_libraries = x', 'SET paws_sync.log_scrub = off',
		'ALTER ROLE ALL SET paws_sync.log_scrub = off', 'SHOW paws_sync.care_root', 'SHOW paws_sync.keyring_file',
		'SELECT current_setting(''paws_sync.crisis_root'')', 'SELECT pg_read_file(''PG_VERSION'')'])
		FROM pg_extension e JOIN pg_roles o ON o.oid = e.extowner WHERE e.extname = 'paws_sync'
	UNION ALL SELECT 'worker', format('SELECT %s(%s)', f, pid) FROM paws_sync.pg_stat_paws_sync_workers, unnest('{pg_terminate_backend,pg_cancel_backend}'::text[]) AS f
		WHERE pid IS NOT NULL;
SELECT kind, count(*) > CASE kind WHEN 'table' THEN 500 WHEN 'member' THEN 300 ELSE 3 END AS enough FROM statement GROUP BY kind ORDER BY kind COLLATE "C";

-- no role gets through with any; must be none
SELECT role, kind, statement, answer FROM (
	SELECT h.role, s.kind, s.statement, pg_temp.as_role(h.role, s.statement) AS answer FROM holder h, statement s WHERE h.single OFFSET 0) AS tried
WHERE answer <> '-' ORDER BY 1, 2, 3 LIMIT 50;
-- Closed schemas are the first wall; what stands behind it holds alone, even against all profiles together. Must be none
BEGIN;
SELECT count(pg_temp.run(format('GRANT USAGE ON SCHEMA %s TO PUBLIC', name))) > 5 AS opened FROM thing WHERE kind = 'schema';
GRANT USAGE ON SCHEMA pg_toast TO PUBLIC;
SELECT role, kind, statement, answer FROM (
	SELECT h.role, s.kind, s.statement, pg_temp.as_role(h.role, s.statement) AS answer FROM holder h, statement s
	WHERE h.role IN ('regress_paws_all', 'regress_paws_none') OFFSET 0) AS tried
WHERE answer <> '-' ORDER BY 1, 2, 3 LIMIT 50;
SELECT role, name, answer FROM (
	SELECT h.role, o.name, pg_temp.as_role(h.role, format('SELECT FROM %s', o.name)) AS answer FROM holder h, thing o
	WHERE h.single AND o.kind = 'view' AND o.name !~ '^paws_sync\.' OFFSET 0) AS tried
WHERE answer <> '-';
ROLLBACK;
-- the superuser is refused none of the reading ones, so they are good statements; must be none
SELECT statement, answer FROM (SELECT statement, pg_temp.as_role(current_user, statement) AS answer FROM statement
	WHERE kind IN ('table', 'toast table', 'sequence') AND statement ~ '^(SELECT|TABLE|EXPLAIN SELECT|DECLARE|WITH|LOCK)' AND statement !~ 'currval|setval' OFFSET 0) AS t
WHERE answer <> 'yes';
-- a view cannot be written through, whoever asks; must be none
SELECT h.role, o.name, pattern, answer FROM holder h, thing o,
	unnest('{INSERT INTO %s DEFAULT VALUES,DELETE FROM %s,TRUNCATE %s,MERGE INTO %s USING (VALUES (1)) AS x ON true WHEN MATCHED THEN DELETE}'::text[]) AS pattern,
	pg_temp.as_role(h.role, format(pattern, o.name)) AS answer
WHERE h.single AND o.kind = 'view' AND answer NOT IN ('-', '55000', '42809', '0A000');

-- what was planned as somebody else is not run as nobody; what was opened by a superuser is not reopened
\set VERBOSITY sqlstate
PREPARE devices AS SELECT count(*) >= 0 AS devices FROM paws_registry.device;
PREPARE status AS SELECT count(*) > 0 AS components FROM paws_sync.status();
PREPARE policy AS SELECT count(*) > 0 AS lines FROM paws_sync.policy;
EXECUTE devices;
EXECUTE status;
EXECUTE policy;
SET ROLE regress_paws_app;
EXECUTE devices;
EXECUTE status;
EXECUTE policy;
SET plan_cache_mode = force_generic_plan;
SET ROLE regress_paws_auditor;
EXECUTE devices;
EXECUTE status;
EXECUTE policy;
SET ROLE regress_paws_reluctant;
EXECUTE status;
SET ROLE regress_paws_none;
EXECUTE status;
EXECUTE policy;
RESET ROLE;
RESET plan_cache_mode;
DEALLOCATE ALL;

-- nor do statistics show what tables do not; must be none
ANALYZE paws_registry.device, paws_care.document, paws_crisis.document;
SELECT count(*) > 0 AS there FROM pg_stats WHERE schemaname ~ '^paws_';
SELECT h.role FROM holder h, pg_temp.as_role(h.role, 'SELECT 1 / count(*) FROM pg_stats WHERE schemaname ~ ''^paws_''') AS statistics,
	pg_temp.as_role(h.role, 'SELECT 1 / count(*) FROM pg_sequences WHERE schemaname ~ ''^paws_'' AND last_value IS NOT NULL') AS sequences
WHERE h.role <> 'public' AND (statistics <> '22012' OR sequences <> '22012');

-- all that was tried has changed nothing; must be none
SELECT role, kind, name, privilege, has, listed FROM judged
WHERE has <> listed AND role IN ('public', 'regress_paws_none', 'regress_paws_all', 'regress_paws_app') ORDER BY 1, 2, 3, 4;

-- what was given can be taken whole: the roles can be dropped
DROP SCHEMA regress_paws_lab CASCADE;
SELECT count(paws_sync.revoke_profile(role, profile)) > 50 AS taken FROM holder, unnest(given) AS profile;
SELECT count(pg_temp.run(format('DROP ROLE %I', role))) > 60 AS dropped FROM holder WHERE role <> 'public';
SELECT rolname FROM pg_roles WHERE rolname ~ '^regress_paws';
