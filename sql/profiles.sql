\pset format unaligned
-- Profiles: what the view lists, and giving and taking them. That each may do what is listed and nothing else is tested cell
-- by cell in matrix.sql. Each query with "must be none" shows what breaks its rule.
\set SHOW_CONTEXT never
SET client_min_messages = warning;
SELECT kind, object, string_agg(profile, ' ' ORDER BY profile COLLATE "C") AS profiles FROM paws_sync.profiles
GROUP BY kind, object ORDER BY kind COLLATE "C", object COLLATE "C";
-- there are no others
SELECT string_agg(DISTINCT profile, ' ') AS profiles, string_agg(DISTINCT kind || ' ' || privilege, ', ') AS privileges FROM paws_sync.profiles;
-- no object stands twice with a profile; must be none
SELECT profile, kind, object FROM paws_sync.profiles GROUP BY 1, 2, 3 HAVING count(*) > 1;

-- no profile has a line for data; must be none
SELECT profile, object FROM paws_sync.profiles
WHERE kind NOT IN ('schema', 'type', 'function', 'view') OR privilege NOT IN ('USAGE', 'EXECUTE', 'SELECT')
	OR object !~ '^paws_sync(\.|$)'
	OR kind = 'view' AND (SELECT relkind FROM pg_class WHERE oid = to_regclass(object)) IS DISTINCT FROM 'v';

-- two roles; a run that was cut off leaves some
SELECT format('DROP OWNED BY %I', rolname) FROM pg_roles WHERE rolname ~ '^regress_paws_' \gexec
SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE rolname ~ '^regress_paws_' \gexec
CREATE ROLE regress_paws_app;
CREATE ROLE regress_paws_none;
SELECT paws_sync.grant_profile('regress_paws_app', 'app');
-- what the second has of what profiles give
CREATE TEMP VIEW had AS
	SELECT p.* FROM paws_sync.profiles p WHERE CASE kind
		WHEN 'schema' THEN has_schema_privilege('regress_paws_none', object, privilege)
		WHEN 'type' THEN has_type_privilege('regress_paws_none', object, privilege)
		WHEN 'function' THEN has_function_privilege('regress_paws_none', object, privilege)
		ELSE has_table_privilege('regress_paws_none', object, privilege) END;

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
SELECT paws_sync.grant_profile(NULL, 'app');
\echo :LAST_ERROR_SQLSTATE
SELECT paws_sync.grant_profile('regress_paws_none', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT kind, object FROM had;

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
	SELECT profile FROM had GROUP BY profile HAVING count(*) = (SELECT count(*) FROM paws_sync.profiles a WHERE a.profile = had.profile);
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
SELECT kind, object FROM had;

-- what was given can be taken whole: the roles can be dropped
SELECT paws_sync.revoke_profile('regress_paws_app', 'app');
DROP ROLE regress_paws_app, regress_paws_none;
SELECT rolname FROM pg_roles WHERE rolname ~ '^regress_paws';
