-- profiles: who may call what. Below everything else, since it names what stands above.
--
-- The view is the data: one line for each object, with the profiles that may use it. Constants of the reg* types
-- make the install script fail on a misspelt line, and tie each line to its object: neither can be dropped alone.
-- A function that stands behind a view runs with its reader's rights, so a profile that has the view has the function.
-- No line names a table or a sequence, and none may.

CREATE VIEW paws_sync.profiles WITH (security_invoker) AS
	SELECT unnest(profiles) AS profile, 'USAGE' AS privilege, 'schema' AS kind, object::text AS object
	FROM (VALUES
		('paws_sync'::regnamespace, '{app,device_gateway,crisis,responder,billing,operator,auditor}'::text[])
	) AS s (object, profiles)
UNION ALL
	SELECT unnest(profiles), 'USAGE', 'type', object::text
	FROM (VALUES
		('paws_sync.subject'::regtype, '{app,device_gateway,crisis,responder,billing}'::text[]),
		('paws_sync.device', '{app,device_gateway,crisis}'),
		('paws_sync.cursor', '{app,device_gateway,crisis}'),
		('paws_sync.outcome', '{app,device_gateway,crisis}'),
		('paws_sync.level', '{app,device_gateway,crisis,responder,operator,auditor}'),
		('paws_sync.class', '{app,responder,operator,auditor}'),
		('paws_sync.job_state', '{app,responder,operator}'),
		('paws_sync.job_outcome', '{app,responder}'),
		('paws_sync.job_reason', '{app,responder,operator}'),
		('paws_sync.source', '{app,device_gateway,crisis,responder,operator}'),
		('paws_sync.severity', '{app,device_gateway,crisis,responder,operator}'),
		('paws_sync.tier', '{billing,operator,auditor}'),
		('paws_sync.feature', '{operator,auditor}')
	) AS t (object, profiles)
UNION ALL
	SELECT unnest(profiles), 'EXECUTE', 'function', object::text
	FROM (VALUES
		('paws_sync.subject_for(text)'::regprocedure, '{app}'::text[]),
		('paws_sync.register_device(paws_sync.subject, text)', '{app}'),
		('paws_sync.revoke_device(paws_sync.device)', '{app}'),
		('paws_sync.devices(paws_sync.subject)', '{app}'),
		('paws_sync.sync_status(paws_sync.subject)', '{app}'),
		('paws_sync.push(paws_sync.device, jsonb)', '{app,device_gateway,crisis}'),
		('paws_sync.push_many(paws_sync.device, uuid[], text[], uuid[], bigint[], bytea[], boolean[])', '{app,device_gateway}'),
		('paws_sync.pull(paws_sync.device, paws_sync.cursor, integer, integer)', '{app,device_gateway,crisis}'),
		('paws_sync.pull_wait(paws_sync.device, paws_sync.cursor, interval, integer, integer)', '{app,device_gateway,crisis}'),
		('paws_sync.push_crisis(paws_sync.device, jsonb)', '{app,device_gateway,crisis}'),
		('paws_sync.pull_crisis(paws_sync.device, paws_sync.cursor, integer, integer)', '{app,device_gateway,crisis}'),
		('paws_sync.pull_crisis_wait(paws_sync.device, paws_sync.cursor, interval, integer, integer)', '{app,device_gateway,crisis}'),
		('paws_sync.crisis_bundle(paws_sync.device, text)', '{app,device_gateway,crisis}'),
		('paws_sync.raise_crisis(paws_sync.subject, paws_sync.source, paws_sync.severity)', '{app,device_gateway,crisis,responder}'),
		('paws_sync.resolve_crisis(uuid)', '{app,responder}'),
		('paws_sync.receipts(paws_sync.device, uuid[])', '{app,device_gateway,crisis}'),
		('paws_sync.ack(paws_sync.device, paws_sync.cursor)', '{app,device_gateway,crisis}'),
		('paws_sync.set_entitlement(paws_sync.subject, paws_sync.tier, timestamptz)', '{billing}'),
		('paws_sync.define_collection(text, paws_sync.class, text, text, boolean)', '{operator}'),
		('paws_sync.set_policy(paws_sync.class, paws_sync.tier, paws_sync.level, integer, boolean, integer, integer, bigint, bigint, bigint, bigint)', '{operator}'),
		('paws_sync.set_tier_policy(paws_sync.tier, integer, integer, bigint, bigint, integer, integer, integer, text, integer, bigint, bigint, paws_sync.feature[])', '{operator}'),
		('paws_sync.pause_level(paws_sync.level)', '{operator}'),
		('paws_sync.resume_level(paws_sync.level)', '{operator}'),
		('paws_sync.set_resource(text, text, text, text)', '{operator}'),
		('paws_sync.drop_resource(text, text, text)', '{operator}'),
		('paws_sync.list_resources()', '{operator,auditor}'),
		('paws_sync.verify_crisis_audit()', '{operator,auditor}'),
		('paws_sync.define_topic(text, integer, interval, interval, interval, integer, interval, interval)', '{operator}'),
		('paws_sync.drop_topic(text)', '{operator}'),
		('paws_sync.topics()', '{app,operator}'),
		('paws_sync.pause_topic(text)', '{operator}'),
		('paws_sync.resume_topic(text)', '{operator}'),
		('paws_sync.submit(text, bytea, paws_sync.class, paws_sync.subject, text, timestamptz, text, timestamptz)', '{app}'),
		('paws_sync.submit_many(text, bytea[], paws_sync.class, paws_sync.subject[], text[], timestamptz[], text[], timestamptz[])', '{app}'),
		('paws_sync.claim(text[], integer, interval)', '{app,responder}'),
		('paws_sync.claim_wait(text[], integer, interval, interval)', '{app,responder}'),
		('paws_sync.extend(bigint, bigint, interval)', '{app,responder}'),
		('paws_sync.release(bigint, bigint)', '{app,responder}'),
		('paws_sync.snooze(bigint, bigint, interval)', '{app,responder}'),
		('paws_sync.fail(bigint, bigint, interval, paws_sync.job_reason)', '{app,responder}'),
		('paws_sync.complete(bigint, bigint, bytea, boolean)', '{app,responder}'),
		('paws_sync.complete_many(bigint[], bigint[], bytea[], boolean)', '{app,responder}'),
		('paws_sync.cancel(bigint)', '{app}'),
		('paws_sync.job_status(bigint)', '{app,responder,operator}'),
		('paws_sync.dead_letters(text, integer)', '{operator}'),
		('paws_sync.redrive(text, bigint[], integer)', '{operator}'),
		('paws_sync.stat_topics()', '{operator}'),
		('paws_sync.stat_reset()', '{operator}'),
		('paws_sync.stat_lanes()', '{operator}'),
		('paws_sync.stat_workers()', '{operator}'),
		('paws_sync.stat_horizon()', '{operator}'),
		('paws_sync.stat_latency()', '{operator,auditor}'),
		('paws_sync.stat_memory()', '{operator,auditor}'),
		('paws_sync.stat_admission()', '{operator,auditor}'),
		('paws_sync.stat_reserve()', '{operator,auditor}'),
		('paws_sync.stat_crisis()', '{operator,auditor}'),
		('paws_sync.stat_crisis_refusals()', '{operator,auditor}'),
		('paws_sync.stat_alarms()', '{operator,auditor}'),
		('paws_sync.status()', '{operator,auditor}'),
		('paws_sync.rotate_keys(text)', '{operator}'),
		('paws_sync.adopt_keys()', '{operator}'),
		('paws_sync.forget(paws_sync.subject)', '{app}'),
		('paws_sync.erasure_status(paws_sync.subject)', '{app}'),
		('paws_sync.verify_certificate(text)', '{app,operator,auditor}'),
		('paws_sync.certificate_key()', '{app,operator,auditor}'),
		('paws_sync.key_status()', '{operator,auditor}'),
		('paws_sync.keyring()', '{operator,auditor}'),
		('paws_sync.log_posture()', '{operator,auditor}'),
		('paws_sync.manifest()', '{operator,auditor}'),
		('paws_sync.doctor()', '{operator,auditor}'),
		('paws_sync.vocabulary()', '{operator,auditor}')
	) AS f (object, profiles)
UNION ALL
	SELECT unnest(profiles), 'SELECT', 'view', object::text
	FROM (VALUES
		('paws_sync.pg_stat_paws_sync_lanes'::regclass, '{operator}'::text[]),
		('paws_sync.pg_stat_progress_paws_sync_keys', '{operator,auditor}'),
		('paws_sync.pg_stat_paws_sync_workers', '{operator}'),
		('paws_sync.pg_stat_paws_sync_horizon', '{operator}'),
		('paws_sync.pg_stat_paws_sync_topics', '{operator}'),
		('paws_sync.pg_stat_paws_sync_latency', '{operator,auditor}'),
		('paws_sync.pg_stat_paws_sync_memory', '{operator,auditor}'),
		('paws_sync.pg_stat_paws_sync_admission', '{operator,auditor}'),
		('paws_sync.pg_stat_paws_sync_reserve', '{operator,auditor}'),
		('paws_sync.pg_stat_paws_sync_crisis', '{operator,auditor}'),
		('paws_sync.pg_stat_paws_sync_crisis_refusals', '{operator,auditor}'),
		('paws_sync.pg_stat_paws_sync_alarms', '{operator,auditor}'),
		('paws_sync.crisis_signals', '{app,responder,operator}'),
		('paws_sync.crisis_items', '{app,responder,operator}'),
		('paws_sync.collections', '{operator,auditor}'),
		('paws_sync.resources', '{operator,auditor}'),
		('paws_sync.policy', '{operator,auditor}'),
		('paws_sync.tier_policy', '{operator,auditor}')
	) AS v (object, profiles)
UNION ALL
	-- a view cannot hold its own oid
	SELECT unnest('{operator,auditor}'::text[]), 'SELECT', 'view', to_regclass('paws_sync.profiles')::text;
REVOKE ALL ON TABLE paws_sync.profiles FROM PUBLIC;
COMMENT ON VIEW paws_sync.profiles IS 'What each profile may do; grant_profile grants exactly this.';
COMMENT ON COLUMN paws_sync.profiles.profile IS 'Name of the profile.';
COMMENT ON COLUMN paws_sync.profiles.privilege IS 'The privilege on the object.';
COMMENT ON COLUMN paws_sync.profiles.kind IS 'schema, type, function or view.';
COMMENT ON COLUMN paws_sync.profiles.object IS 'The object; with its schema unless search_path finds it without.';

CREATE FUNCTION paws_sync.check_profile(role name, profile text)
	RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	-- GRANT by anybody else would do nothing and warn
	IF NOT (SELECT pg_has_role(e.extowner, 'USAGE') FROM pg_extension e WHERE e.extname = 'paws_sync') THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'must be owner of extension paws_sync',
			HINT = 'Profiles are given and taken by a superuser or the owner of the extension.';
	END IF;
	IF num_nulls($1, $2) > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'role and profile must not be null';
	END IF;
	IF $1 NOT IN (SELECT r.rolname FROM pg_roles r) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = 'role does not exist',
			HINT = 'Create it first. Its name is taken letter for letter, without quotes; PUBLIC is not a role.';
	END IF;
	IF $2 NOT IN (SELECT p.profile FROM paws_sync.profiles p) THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'unknown profile',
			HINT = (SELECT 'Profiles are ' || string_agg(DISTINCT p.profile, ', ') || '.' FROM paws_sync.profiles p);
	END IF;
END
$$;
REVOKE ALL ON FUNCTION paws_sync.check_profile(name, text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.check_profile(name, text) IS
	'Fails unless the caller may give profiles, the role exists and the profile has something to grant.';

-- The role is a name: regrole would fold and unquote its text, and take a number for the oid of a role that need not exist.
-- Into statements go names from the catalogs alone.
CREATE FUNCTION paws_sync.grant_profile(role name, profile text)
	RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	line record;
BEGIN
	PERFORM paws_sync.check_profile($1, $2);
	FOR line IN
		SELECT p.privilege, CASE p.kind WHEN 'view' THEN 'table' ELSE p.kind END AS kind, p.object, r.rolname
		FROM paws_sync.profiles p JOIN pg_roles r ON r.rolname = $1
		WHERE p.profile = $2
	LOOP
		EXECUTE format('GRANT %s ON %s %s TO %I', line.privilege, line.kind, line.object, line.rolname);
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION paws_sync.grant_profile(name, text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.grant_profile(name, text) IS
	'Gives a role what a profile may do: app, device_gateway, crisis, responder, billing, operator or auditor. Again after an update of the extension, for what is new.';

-- Nothing records which profiles a role was given; its grants are the record. One that is contained in the profile that
-- goes cannot be told from it, and goes too.
CREATE FUNCTION paws_sync.revoke_profile(role name, profile text)
	RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	line record;
BEGIN
	PERFORM paws_sync.check_profile($1, $2);
	FOR line IN
		WITH granted AS (
			SELECT p.profile, p.kind, p.object, EXISTS (
				SELECT FROM aclexplode(CASE p.kind
					WHEN 'schema' THEN (SELECT n.nspacl FROM pg_namespace n WHERE n.oid = p.object::regnamespace)
					WHEN 'type' THEN (SELECT t.typacl FROM pg_type t WHERE t.oid = p.object::regtype)
					WHEN 'function' THEN (SELECT f.proacl FROM pg_proc f WHERE f.oid = p.object::regprocedure)
					WHEN 'view' THEN (SELECT c.relacl FROM pg_class c WHERE c.oid = p.object::regclass) END) a
				WHERE a.grantee = r.oid AND a.privilege_type = p.privilege) AS direct
			FROM paws_sync.profiles p JOIN pg_roles r ON r.rolname = $1
		), other AS (
			SELECT g.profile FROM granted g GROUP BY g.profile
			HAVING bool_and(g.direct) AND NOT array_agg(g.kind || ' ' || g.object) <@
				ARRAY(SELECT p.kind || ' ' || p.object FROM paws_sync.profiles p WHERE p.profile = $2)
		)
		SELECT p.privilege, CASE p.kind WHEN 'view' THEN 'table' ELSE p.kind END AS kind, p.object, r.rolname
		FROM paws_sync.profiles p JOIN pg_roles r ON r.rolname = $1
		WHERE p.profile = $2 AND NOT EXISTS (
			SELECT FROM other o JOIN paws_sync.profiles k ON k.profile = o.profile
			WHERE k.kind = p.kind AND k.object = p.object)
	LOOP
		EXECUTE format('REVOKE %s ON %s %s FROM %I', line.privilege, line.kind, line.object, line.rolname);
	END LOOP;
END
$$;
REVOKE ALL ON FUNCTION paws_sync.revoke_profile(name, text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.revoke_profile(name, text) IS
	'Takes from a role what a profile may do, but for what other profiles give it. Profiles that are contained in this one go with it.';

-- Only now does the view say all there is. Default privileges in force at CREATE EXTENSION gave rights to others, or took
-- the functions behind types from everybody, without which no value of these can be compared or cast. Types come open
-- to PUBLIC, those of the rows of tables and views too: everybody could define tables and functions over them, and so
-- hold up an update.
DO $$
DECLARE
	line record;
BEGIN
	FOR line IN
		WITH extension AS (
			SELECT e.oid FROM pg_extension e WHERE e.extname = 'paws_sync'
		), member AS (
			SELECT d.classid, d.objid FROM pg_depend d JOIN extension e ON e.oid = d.refobjid
			WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		), support AS (
			SELECT unnest(ARRAY[t.typinput, t.typoutput, t.typreceive, t.typsend]::oid[]) AS oid
			FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
			UNION SELECT o.oprcode FROM pg_operator o JOIN member m ON m.classid = 'pg_operator'::regclass AND m.objid = o.oid
			UNION SELECT a.amproc FROM pg_amproc a JOIN member m ON m.classid = 'pg_opfamily'::regclass AND m.objid = a.amprocfamily
			UNION SELECT c.castfunc FROM pg_cast c JOIN member m ON m.classid = 'pg_cast'::regclass AND m.objid = c.oid
		), object AS (
			SELECT 'schema' AS kind, n.oid::regnamespace::text AS name, n.nspowner AS owner, n.nspacl AS acl, false AS support
			FROM pg_namespace n JOIN member m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
			UNION ALL
			SELECT 'type', t.oid::regtype::text, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner)), false
			FROM pg_type t JOIN member m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
				OR m.classid = 'pg_class'::regclass AND m.objid = t.typrelid
			UNION ALL
			SELECT 'function', p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)),
				p.oid IN (SELECT s.oid FROM support s)
			FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
			UNION ALL
			SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END, c.oid::regclass::text, c.relowner, c.relacl, false
			FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
		)
		SELECT format('REVOKE ALL ON %s %s FROM %s', o.kind, o.name,
			CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END) AS statement
		FROM object o CROSS JOIN LATERAL aclexplode(o.acl) a
		WHERE a.grantee <> o.owner AND NOT (o.support AND a.grantee = 0)
		UNION
		SELECT format('GRANT EXECUTE ON %s %s TO PUBLIC', o.kind, o.name) FROM object o
		WHERE o.support AND NOT EXISTS (SELECT FROM aclexplode(o.acl) a WHERE a.grantee = 0)
	LOOP
		EXECUTE line.statement;
	END LOOP;
END
$$;
