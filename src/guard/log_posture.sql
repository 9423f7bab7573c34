-- log_posture: settings and hooks through which values would leave the server, with the value wanted.

CREATE FUNCTION paws_sync.log_probe()
	RETURNS TABLE (setting text, value text, wanted text, ok boolean)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 3
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_log_probe';
REVOKE ALL ON FUNCTION paws_sync.log_probe() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.log_probe() IS
	'Behind log_posture: what SQL cannot see of it.';

-- A setting of the log is good if it is as wanted, or if the silent log covers it, which takes mode "all" and
-- our hook in front. What roles and databases set for themselves is looked at too.
CREATE FUNCTION paws_sync.log_posture()
	RETURNS TABLE (setting text, value text, wanted text, ok boolean)
	LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 30
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
	WITH probe AS MATERIALIZED (
		SELECT p.setting, p.value, p.wanted, p.ok FROM paws_sync.log_probe() p),
	cover AS MATERIALIZED (
		SELECT p.ok AND current_setting('paws_sync.log_scrub') = 'all' AS holds FROM probe p
		WHERE p.setting = 'emit_log_hook'),
	rule (setting, wanted, coverable) AS (VALUES
		('paws_sync.log_scrub', 'all', false),
		('log_statement', 'none', true),
		('log_min_duration_statement', '-1', true),
		('log_min_duration_sample', '-1', true),
		('log_transaction_sample_rate', '0', true),
		('log_min_error_statement', 'panic', true),
		('log_error_verbosity', 'terse', true),
		('log_parameter_max_length', '0', true),
		('log_parameter_max_length_on_error', '0', true),
		('log_lock_waits', 'off', true),
		('log_replication_commands', 'off', true),
		('debug_print_parse', 'off', true),
		('debug_print_rewritten', 'off', true),
		('debug_print_plan', 'off', true),
		('auto_explain.log_min_duration', '-1', true),
		('track_activities', 'off', false),
		('pg_stat_statements.track_utility', 'off', false)),
	found AS (
		SELECT r.setting, current_setting(r.setting, true) AS value, r.wanted, r.coverable FROM rule r
		UNION ALL
		SELECT r.setting || concat(' of role ' || a.rolname, ' in database ' || d.datname),
			substr(s.text, length(r.setting) + 2), r.wanted, r.coverable
		FROM pg_db_role_setting o CROSS JOIN LATERAL unnest(o.setconfig) AS s (text)
		JOIN rule r ON lower(split_part(s.text, '=', 1)) = r.setting
		LEFT JOIN pg_roles a ON a.oid = o.setrole LEFT JOIN pg_database d ON d.oid = o.setdatabase)
	SELECT p.setting, p.value, p.wanted, p.ok FROM probe p
	UNION ALL
	SELECT 'shared_preload_libraries', l.value, 'paws_sync as the last',
		c.holds OR coalesce(l.value ~ '(^|[,/" ])paws_sync(\.so)?[" ]*$', false)
	FROM current_setting('shared_preload_libraries', true) AS l (value), cover c
	UNION ALL
	SELECT f.setting, f.value, f.wanted, lower(f.value) = f.wanted OR f.coverable AND c.holds
	FROM found f, cover c WHERE f.value IS NOT NULL
	$$;
REVOKE ALL ON FUNCTION paws_sync.log_posture() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.log_posture() IS
	'What lets values out of the server through its log and beside it, with the value wanted of each.';
