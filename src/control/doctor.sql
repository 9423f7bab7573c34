-- doctor: one call that says what is wrong, in words. Each check is a row; what is fine has no hint.

CREATE FUNCTION paws_sync.doctor_probe()
	RETURNS TABLE (area text, check_name text, ok boolean, value text, wanted text, hint text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 5
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_doctor_probe';
REVOKE ALL ON FUNCTION paws_sync.doctor_probe() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.doctor_probe() IS
	'Behind doctor: what SQL cannot see.';

-- Settings and states of the server that a promise rests on.
CREATE FUNCTION paws_sync.doctor_server()
	RETURNS TABLE (area text, check_name text, ok boolean, value text, wanted text, hint text)
	LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 20
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT 'server', 'version', current_setting('server_version_num')::integer BETWEEN 150020 AND 159999,
		current_setting('server_version'), '15.20 or a later 15',
		'Earlier ones have known holes: update the server, and build paws_sync anew for it.'
	UNION ALL
	SELECT 'server', 'extension version', e.extversion = s.detail, e.extversion, s.detail,
		'Library and SQL are of different versions: ALTER EXTENSION paws_sync UPDATE, or restart the server with the other library.'
	FROM pg_extension e, paws_sync.status() s WHERE e.extname = 'paws_sync' AND s.component = 'library'
	UNION ALL
	SELECT r.area, r.setting, current_setting(r.setting) = r.wanted, current_setting(r.setting), r.wanted, r.hint
	FROM (VALUES
		('durability', 'fsync', 'on', 'What is acknowledged may be gone after a crash of the machine. Set it to on.'),
		('durability', 'full_page_writes', 'on', 'A crash may leave torn pages. Set it to on.'),
		('durability', 'data_checksums', 'on', 'Damage of the disk goes unnoticed: stop the server and run pg_checksums --enable.'),
		('durability', 'zero_damaged_pages', 'off', 'Damaged pages are emptied without a word. Set it to off.'),
		('durability', 'ignore_checksum_failure', 'off', 'Damage of the disk is ignored. Set it to off.'),
		('durability', 'restart_after_crash', 'on', 'After the crash of one process the server stays down. Set it to on, unless something else restarts it.'),
		('latency', 'commit_delay', '0', 'Every commit waits, those of the crisis lane too. Set it to 0.'),
		('latency', 'default_transaction_isolation', 'read committed', 'pull_wait needs READ COMMITTED. Set it so, and above it only where it is needed.'),
		('minimisation', 'track_commit_timestamp', 'off', 'The server keeps the exact time of every commit, which undoes the manifest. Set it to off.')
	) AS r (area, setting, wanted, hint)
	UNION ALL
	SELECT 'durability', 'wal_level', current_setting('wal_level') <> 'minimal', current_setting('wal_level'), 'replica or logical',
		'There can be no base backup, no archive and no standby. Set it to replica and restart the server.'
	UNION ALL
	SELECT 'durability', 'synchronous standby', s.names = '' OR s.connected > 0,
		CASE WHEN s.names = '' THEN 'none wanted' ELSE s.connected || ' connected' END, 'one connected, if any is wanted',
		'Every commit waits for it: bring it back, or take it out of synchronous_standby_names.'
	FROM (SELECT current_setting('synchronous_standby_names') AS names,
		(SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')) AS connected) s
	UNION ALL
	SELECT 'network', 'ssl', current_setting('ssl') = 'on' OR current_setting('listen_addresses') = '',
		current_setting('ssl'), 'on, or no listen_addresses',
		'Tokens and payloads travel in clear: set ssl to on and let pg_hba.conf have hostssl lines alone.'
	UNION ALL
	SELECT 'latency', 'authentication_timeout', s.setting::integer <= 10, s.setting || ' s', '10 s or less',
		'Clients that stall in authentication hold connection slots for so long; crisis then waits for a slot.'
	FROM pg_settings s WHERE s.name = 'authentication_timeout'
	UNION ALL
	SELECT 'latency', 'idle_in_transaction_session_timeout', s.setting::bigint BETWEEN 1 AND 600000,
		CASE s.setting WHEN '0' THEN 'none' ELSE s.setting || ' ms' END, '10 min or less',
		'A session that pushed to the crisis lane and idles in its transaction blocks that subject for as long.'
	FROM pg_settings s WHERE s.name = 'idle_in_transaction_session_timeout'
	UNION ALL
	SELECT 'latency', 'inactive replication slots', count(*) = 0, count(*)::text, '0',
		'They keep WAL for as long as nobody reads them: drop what is not needed.'
	FROM pg_replication_slots WHERE NOT active
	UNION ALL
	SELECT 'keys', 'memory of all processes', count(*) FILTER (WHERE m.memory = 'unlocked') = 0,
		count(*) FILTER (WHERE m.memory = 'unlocked') || ' of ' || count(*) FILTER (WHERE m.memory <> 'none') || ' not locked', '0 not locked',
		'Keys may be written to swap space: raise the limit on locked memory of the server''s user; see pg_stat_paws_sync_memory.'
	FROM paws_sync.stat_memory() m
	UNION ALL
	SELECT 'leaks', 'track_activity_query_size', s.setting::integer <= 1024, s.setting || ' B', '1024 B or less',
		'So much of every statement is shown in pg_stat_activity and kept in memory. Lower it and restart the server.'
	FROM pg_settings s WHERE s.name = 'track_activity_query_size'
	UNION ALL
	SELECT 'leaks', 'pg_stat_statements', coalesce(s.track = 'off', true), CASE WHEN s.track IS NULL THEN 'not loaded'
		WHEN s.track = 'off' THEN 'loaded, tracks no utility statements' ELSE 'loaded, tracks utility statements' END,
		'not loaded, or with track_utility off', 'Literals of utility statements stay in its file: set pg_stat_statements.track_utility to off and reset it.'
	FROM (SELECT current_setting('pg_stat_statements.track_utility', true) AS track) s
	UNION ALL
	SELECT 'leaks', p.setting, p.ok, p.value, p.wanted, CASE
		WHEN p.setting = 'core file size' THEN 'A core file holds keys and payloads: start the server with ulimit -c 0, or LimitCORE=0 in its unit.'
		WHEN p.setting ~ '^emit_log_hook' THEN 'Another library is handed every line of the log whole: name paws_sync last in shared_preload_libraries.'
		WHEN p.setting = 'paws_sync.log_scrub' THEN 'Lines of the log carry values of people: set it to all.'
		WHEN p.setting = 'track_activities' THEN 'Statement texts, with their literals, are in pg_stat_activity while they run: set it to off, or bind every value.'
		WHEN p.setting ~ ' (of role|in database) ' THEN 'Take it back with ALTER ROLE or ALTER DATABASE … RESET.'
		ELSE 'Values may reach the log or a file: set it to what is wanted.' END
	FROM paws_sync.log_posture() p WHERE p.setting <> 'shared_preload_libraries'
	UNION ALL
	-- even without a log hook of its own, another library's hooks would run before ours
	SELECT 'leaks', 'shared_preload_libraries', l.value ~ '(^|[,/" ])paws_sync(\.so)?[" ]*$', l.value, 'paws_sync as the last',
		'Another library is called before paws_sync, and may be handed what it hides: name paws_sync last, and restart the server.'
	FROM current_setting('shared_preload_libraries') AS l (value)
	UNION ALL
	SELECT 'housekeeping', 'paws_sync.device_expiry', s.setting::bigint >= t.minutes, s.setting || ' min', t.minutes || ' min or more',
		'A device that was away for less than its offline window may miss deletions: raise it above every offline_window of tier_policy.'
	FROM pg_settings s, (SELECT max(offline_hours) * 60 AS minutes FROM paws_queue.effective_tier_policy) t
	WHERE s.name = 'paws_sync.device_expiry'
	UNION ALL
	SELECT 'status', s.component, s.state IN ('loaded', 'ready') OR pg_is_in_recovery() AND s.component IN ('workers', 'queue')
			OR s.component = 'crisis lane' AND s.state <> 'down', s.state,
		CASE s.component WHEN 'library' THEN 'loaded' WHEN 'crisis lane' THEN 'not down' ELSE 'ready' END,
		CASE WHEN s.component LIKE 'keys %' OR s.component = 'keyring' THEN CASE s.state
			WHEN 'none' THEN s.detail || ' The log of the server''s start says what to do; crisis goes on without.'
			WHEN 'wrong' THEN 'Root key or keyring are not those that this database was used with: put both back, and restart the server.'
			WHEN 'unlocked' THEN 'Its memory cannot be locked, so no key may be used: raise the limit on locked memory of the server''s user.'
			WHEN 'memory' THEN s.detail || ' Put the keyring of this server back before the server is restarted.'
			ELSE s.detail END
		ELSE s.detail END
	FROM paws_sync.status() s
	$$;
REVOKE ALL ON FUNCTION paws_sync.doctor_server() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.doctor_server() IS
	'Behind doctor: settings and states of the server.';

-- What is in the catalogs is what was installed: nobody has more rights, nothing runs beside us. In plpgsql, since the
-- view of profiles is made after everything that it lists.
CREATE FUNCTION paws_sync.doctor_objects()
	RETURNS TABLE (area text, check_name text, ok boolean, value text, wanted text, hint text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH extension AS (
		SELECT e.oid, e.extowner FROM pg_extension e WHERE e.extname = 'paws_sync'),
	member AS MATERIALIZED (
		SELECT d.classid, d.objid FROM pg_depend d JOIN extension e ON e.oid = d.refobjid
		WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'),
	-- behind types, operators, operator classes and casts: everybody may run these
	support AS (
		SELECT unnest(ARRAY[t.typinput, t.typoutput, t.typreceive, t.typsend]::oid[]) AS oid
		FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
		UNION SELECT o.oprcode FROM pg_operator o JOIN member m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
		UNION SELECT a.amproc FROM pg_amproc a JOIN member m ON m.classid = 'pg_opfamily'::regclass AND m.objid = a.amprocfamily
		UNION SELECT c.castfunc FROM pg_cast c JOIN member m ON m.classid = 'pg_cast'::regclass AND m.objid = c.oid),
	object AS MATERIALIZED (
		SELECT 'schema' AS kind, n.oid, n.oid::regnamespace::text AS name, n.nspowner AS owner,
			coalesce(n.nspacl, acldefault('n', n.nspowner)) AS acl
		FROM pg_namespace n JOIN member m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
		UNION ALL
		SELECT 'type', t.oid, t.oid::regtype::text, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
		FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
		UNION ALL
		SELECT 'function', p.oid, p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
		FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
		UNION ALL
		SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'table' END, c.oid, c.oid::regclass::text, c.relowner,
			coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner))
		FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
		UNION ALL
		SELECT 'column', a.attrelid, a.attrelid::regclass || '.' || quote_ident(a.attname), c.relowner, a.attacl
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid WHERE a.attacl IS NOT NULL),
	granted AS MATERIALIZED (
		SELECT o.kind, o.oid, o.name, a.grantee, a.privilege_type AS privilege, a.is_grantable
		FROM object o CROSS JOIN LATERAL aclexplode(o.acl) a WHERE a.grantee <> o.owner),
	found (check_name, what, hint) AS (
		SELECT 'granted to PUBLIC', g.privilege || ' on ' || g.kind || ' ' || g.name,
			'Everybody may use it: REVOKE it FROM PUBLIC.'
		FROM granted g WHERE g.grantee = 0 AND NOT (g.kind = 'function' AND g.oid IN (SELECT s.oid FROM support s))
		UNION ALL
		SELECT 'granted beside profiles', g.privilege || ' on ' || g.kind || ' ' || g.name || ' to ' || g.grantee::regrole,
			'No profile gives this: REVOKE it, and give roles what they need with grant_profile.'
		FROM granted g WHERE g.grantee <> 0 AND (g.is_grantable OR NOT EXISTS (
			SELECT FROM paws_sync.profiles p WHERE p.kind = g.kind AND p.object = g.name AND p.privilege = g.privilege))
		UNION ALL
		SELECT 'default privileges', 'of ' || d.defaclrole::regrole, 'New objects of an update would be granted to others: ALTER DEFAULT PRIVILEGES … REVOKE.'
		FROM pg_default_acl d CROSS JOIN extension e
		WHERE (d.defaclrole = e.extowner OR d.defaclnamespace IN (SELECT m.objid FROM member m WHERE m.classid = 'pg_namespace'::regclass))
			AND EXISTS (SELECT FROM aclexplode(d.defaclacl) a WHERE a.grantee <> d.defaclrole)
		UNION ALL
		SELECT 'not owned by the extension''s owner', o.kind || ' ' || o.name, 'Its owner can change it: ALTER … OWNER TO the owner of the extension.'
		FROM object o, extension e WHERE o.owner <> e.extowner
		UNION ALL
		SELECT 'definer functions without a pinned path', p.oid::regprocedure::text,
			'Whoever sets search_path runs code with our rights: ALTER FUNCTION … SET search_path = pg_catalog, pg_temp.'
		FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
		WHERE p.prosecdef AND NOT coalesce(p.proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}'
		UNION ALL
		SELECT 'triggers missing or disabled', w.tgname || ' on ' || w.relation,
			'What is changed is not checked, or nobody learns of it: ALTER TABLE … ENABLE ALWAYS TRIGGER; if it is gone, create the extension anew from a dump.'
		FROM (VALUES ('paws_queue.policy', 'shipped_rows'), ('paws_queue.policy', 'changed'),
			('paws_queue.tier_policy', 'shipped_rows'), ('paws_queue.tier_policy', 'changed'),
			('paws_registry.subject', 'changed'), ('paws_registry.subject', 'emptied'),
			('paws_registry.device', 'changed'), ('paws_registry.device', 'emptied'),
			('paws_care.entitlement', 'changed'), ('paws_care.entitlement', 'emptied')) AS w (relation, tgname)
		WHERE NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = to_regclass(w.relation) AND t.tgname = w.tgname AND t.tgenabled = 'A')
		UNION ALL
		SELECT 'foreign triggers, rules and policies', f.what,
			'It sees or changes what is stored, and is none of ours: drop it.'
		FROM (SELECT 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass AS what, t.tgrelid AS relation
				FROM pg_trigger t WHERE NOT t.tgisinternal
				AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = t.tgfoid)
			UNION ALL SELECT 'policy ' || p.polname || ' on ' || p.polrelid::regclass, p.polrelid FROM pg_policy p
			UNION ALL SELECT 'rule ' || r.rulename || ' on ' || r.ev_class::regclass, r.ev_class FROM pg_rewrite r WHERE r.rulename <> '_RETURN') f
		WHERE EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = f.relation)
		UNION ALL
		SELECT 'bytes and names of unbounded form', f.what,
			'Anything can be written there: put the CHECK back, as it is in the install script, and validate it.'
		FROM (SELECT 'column ' || a.attrelid::regclass || '.' || a.attname AS what
				FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
				JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
				WHERE a.attnum > 0 AND NOT a.attisdropped AND a.atttypid IN ('bytea'::regtype, 'text'::regtype) AND NOT EXISTS (
					SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated AND a.attnum = ANY (k.conkey))
			UNION ALL SELECT 'type ' || t.oid::regtype FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
				WHERE t.typtype = 'd' AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.contypid = t.oid AND k.convalidated)) f)
	SELECT 'objects', c.check_name, count(f.what) = 0,
		CASE count(f.what) WHEN 0 THEN 'none' ELSE count(f.what) || ': ' || array_to_string((array_agg(f.what ORDER BY f.what COLLATE "C"))[1:3], ', ')
			|| CASE WHEN count(f.what) > 3 THEN ' …' ELSE '' END END, 'none', min(f.hint)
	FROM unnest(ARRAY['granted to PUBLIC', 'granted beside profiles', 'default privileges', 'not owned by the extension''s owner',
		'definer functions without a pinned path', 'triggers missing or disabled', 'foreign triggers, rules and policies',
		'bytes and names of unbounded form']) WITH ORDINALITY AS c (check_name, n)
	LEFT JOIN found f USING (check_name) GROUP BY c.check_name, c.n ORDER BY c.n;
END
$$;
REVOKE ALL ON FUNCTION paws_sync.doctor_objects() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.doctor_objects() IS
	'Behind doctor: rights, owners, triggers and constraints.';

-- What is stored is what the manifest allows. Of a large table a sample of pages is looked at; a locked one is left out
-- and said so. The tier at the time of writing is not known any more, so the finest that any tier allows is the limit.
CREATE FUNCTION paws_sync.doctor_stored()
	RETURNS TABLE (area text, check_name text, ok boolean, value text, wanted text, hint text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 6
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
	AS $$
#variable_conflict use_column
DECLARE
	pages constant integer := 200;
	entry record;
	seen bigint;
	seen_fine bigint;
	seen_clear bigint;
	looked_at bigint := 0;
	fine bigint := 0;
	clear bigint := 0;
	late bigint := 0;
	subjects bigint := 0;
	locked text[] := '{}';
	sampled boolean := false;
	share real;
	amount text;
BEGIN
	RETURN QUERY
	WITH stored AS (
		SELECT a.attrelid::regclass::text AS relation, a.attname::text AS column_name
		FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_class c ON c.oid = d.objid
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'paws_sync'
			AND d.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'p', 'm', 'f')),
	declared AS (
		SELECT DISTINCT m.relation, m.column_name FROM paws_sync.manifest() m),
	odd (check_name, what, hint) AS (
		SELECT 'columns without an entry', s.relation || '.' || s.column_name,
			'Something that the manifest does not know of is stored: drop the column.'
		FROM (SELECT * FROM stored EXCEPT SELECT * FROM declared) s
		UNION ALL
		SELECT 'entries without a column', s.relation || '.' || s.column_name,
			'A table of the extension was changed: restore it, or create the extension anew from a dump.'
		FROM (SELECT * FROM declared EXCEPT SELECT * FROM stored) s)
	SELECT 'minimisation', c.check_name, count(o.what) = 0,
		CASE count(o.what) WHEN 0 THEN 'none' ELSE count(o.what) || ': ' || array_to_string((array_agg(o.what ORDER BY o.what COLLATE "C"))[1:3], ', ') END,
		'none', min(o.hint)
	FROM unnest('{columns without an entry,entries without a column}'::text[]) c (check_name)
	LEFT JOIN odd o USING (check_name) GROUP BY c.check_name ORDER BY c.check_name COLLATE "C";

	FOR entry IN
		SELECT to_regclass(m.relation) AS relation,
			string_agg(format('%1$I <> date_bin(%2$L, %1$I, ''2000-01-01 00:00:00+00'')', m.column_name, m.resolution), ' OR ')
				FILTER (WHERE m.kind = 'time') AS is_fine,
			string_agg(format('substr(%I, 1, 2) <> ''PW''', m.column_name), ' OR ') FILTER (WHERE m.kind = 'envelope') AS is_clear
		FROM (SELECT i.relation, i.column_name, i.kind, min(i.resolution) AS resolution FROM paws_sync.manifest() i
			WHERE i.kind IN ('time', 'envelope') GROUP BY 1, 2, 3) m
		JOIN pg_attribute a ON a.attrelid = to_regclass(m.relation) AND a.attname = m.column_name AND NOT a.attisdropped
		GROUP BY 1 ORDER BY 1
	LOOP
		BEGIN
			share := 100.0 * pages * current_setting('block_size')::integer
				/ greatest(pg_relation_size(entry.relation), pages::bigint * current_setting('block_size')::integer);
			EXECUTE format('SELECT count(*), count(*) FILTER (WHERE %s), count(*) FILTER (WHERE %s) FROM %s TABLESAMPLE SYSTEM ($1)',
				coalesce(entry.is_fine, 'false'), coalesce(entry.is_clear, 'false'), entry.relation)
			INTO seen, seen_fine, seen_clear USING share;
			looked_at := looked_at + seen;
			fine := fine + seen_fine;
			clear := clear + seen_clear;
			sampled := sampled OR share < 100;
		EXCEPTION WHEN lock_not_available THEN
			locked := locked || entry.relation::text;
		END;
	END LOOP;

	-- the oldest entry of a subject's feed, against the window of its tier, what times are rounded by, and two walks
	BEGIN
		share := 100.0 * pages / 8 * current_setting('block_size')::integer
			/ greatest(pg_relation_size('paws_care.counter'), pages::bigint / 8 * current_setting('block_size')::integer);
		SELECT count(*), count(*) FILTER (WHERE f.finished_at < clock_timestamp() - make_interval(hours => p.offline_hours)
			- (SELECT max(m.resolution) FROM paws_sync.manifest() m WHERE m.relation = 'paws_care.feed')
			- 2 * current_setting('paws_sync.housekeeping_interval')::interval - interval '1 minute')
		INTO subjects, late
		FROM paws_care.counter n TABLESAMPLE SYSTEM (share)
		CROSS JOIN LATERAL (SELECT o.finished_at FROM paws_care.feed o WHERE o.subject_no = n.subject_no ORDER BY o.position LIMIT 1) f
		LEFT JOIN paws_care.entitlement e ON e.subject_no = n.subject_no AND (e.until IS NULL OR e.until > now())
		JOIN paws_queue.effective_tier_policy p ON p.tier = coalesce(e.tier, 1);
		sampled := sampled OR share < 100;
	EXCEPTION WHEN lock_not_available THEN
		locked := array_remove(locked, 'paws_care.feed') || 'paws_care.feed'::text;
	END;

	amount := looked_at || ' rows' || CASE WHEN sampled THEN ', a sample' ELSE '' END;
	RETURN QUERY VALUES
		('minimisation', 'stored beyond the manifest: times', fine = 0, fine || ' of ' || amount, '0',
			CASE WHEN fine > 0 THEN 'Times are finer than any tier allows: they were written by something else than paws_sync.' END),
		('minimisation', 'stored beyond the manifest: age', late = 0,
			late || ' of ' || subjects || ' subjects' || CASE WHEN sampled THEN ', a sample' ELSE '' END, '0',
			CASE WHEN late > 0 THEN 'Feed entries are kept beyond the offline window: see that the workers run and that nothing holds locks.' END),
		('minimisation', 'payloads in clear', clear = 0, clear || ' of ' || amount, '0',
			CASE WHEN clear > 0 THEN 'There are payloads that are not sealed: they were written by something else than paws_sync.' END),
		('minimisation', 'tables that could not be looked at', locked = '{}',
			CASE locked WHEN '{}' THEN 'none' ELSE array_to_string(locked, ', ') END, 'none',
			CASE WHEN locked <> '{}' THEN 'Somebody holds a lock on them: see pg_locks, and call again.' END);
END
$$;
REVOKE ALL ON FUNCTION paws_sync.doctor_stored() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.doctor_stored() IS
	'Behind doctor: what is stored, against the manifest.';

CREATE FUNCTION paws_sync.doctor()
	RETURNS TABLE (area text, check_name text, ok boolean, value text, wanted text, hint text)
	LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 70
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT d.area, d.check_name, coalesce(d.ok, false), d.value, d.wanted, CASE WHEN d.ok THEN NULL ELSE d.hint END
	FROM (SELECT 1 AS part, s.* FROM paws_sync.doctor_server() s
		UNION ALL SELECT 2, p.* FROM paws_sync.doctor_probe() p
		UNION ALL SELECT 3, o.* FROM paws_sync.doctor_objects() o
		UNION ALL SELECT 4, t.* FROM paws_sync.doctor_stored() t
		UNION ALL SELECT 5, h.* FROM paws_sync.doctor_horizon() h) d
	ORDER BY d.area COLLATE "C", d.part, d.check_name COLLATE "C"
	$$;
REVOKE ALL ON FUNCTION paws_sync.doctor() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.doctor() IS
	'What is wrong, in words: a row for each check of server, keys, workers, leaks, rights, stored data and what holds back vacuum, with what is wanted, and a hint where it is not so. Takes at most about a second; large tables are sampled.';
