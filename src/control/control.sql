-- control: what operators look at and set.

CREATE FUNCTION paws_sync.stat_latency()
	RETURNS TABLE (class paws_sync.class, tier paws_sync.tier, count bigint, p50 double precision, p95 double precision,
		p99 double precision, p999 double precision, max double precision, target double precision,
		attainment double precision, since timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 30
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_stat_latency';
REVOKE ALL ON FUNCTION paws_sync.stat_latency() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_latency() IS
	'Behind the view pg_stat_paws_sync_latency.';

CREATE FUNCTION paws_sync.stat_lanes()
	RETURNS TABLE (lane text, level paws_sync.level, level_number integer, depth bigint, oldest_age interval, in_rate double precision,
		out_rate double precision, paused boolean)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 8
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_stat_lanes';
REVOKE ALL ON FUNCTION paws_sync.stat_lanes() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_lanes() IS
	'Behind the view pg_stat_paws_sync_lanes.';

CREATE FUNCTION paws_sync.stat_workers()
	RETURNS TABLE (kind text, database text, pid integer, state text, batches bigint, operations bigint, errors bigint,
		started_at timestamptz, last_active_at timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_stat_workers';
REVOKE ALL ON FUNCTION paws_sync.stat_workers() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_workers() IS
	'Behind the view pg_stat_paws_sync_workers.';

CREATE FUNCTION paws_sync.stat_memory()
	RETURNS TABLE (pid integer, kind text, memory text, bytes bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 30
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_stat_memory';
REVOKE ALL ON FUNCTION paws_sync.stat_memory() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_memory() IS
	'Behind the view pg_stat_paws_sync_memory.';

CREATE FUNCTION paws_sync.stat_reset()
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_stat_reset';
REVOKE ALL ON FUNCTION paws_sync.stat_reset() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_reset() IS
	'Starts the counting of latencies anew.';

CREATE FUNCTION paws_sync.status()
	RETURNS TABLE (component text, state text, detail text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 8
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_status';
REVOKE ALL ON FUNCTION paws_sync.status() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.status() IS
	'The state of the installation in this database, in words.';

CREATE FUNCTION paws_sync.keyring()
	RETURNS TABLE (kind text, root text, number integer, root_id integer, own boolean, made_at timestamptz, open boolean)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 20
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_keyring_rows';
REVOKE ALL ON FUNCTION paws_sync.keyring() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.keyring() IS
	'What the keyring of this server holds: base secrets, epochs and destroyed epochs of all databases; no keys.';

CREATE VIEW paws_sync.pg_stat_paws_sync_latency WITH (security_invoker) AS
	SELECT class, tier, count, p50, p95, p99, p999, max, target, attainment, since
	FROM paws_sync.stat_latency();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_latency FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_latency IS 'How long operations took, by class and tier, against what is owed.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_latency.class IS 'Class of the operations.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_latency.tier IS 'Tier they were served as; NULL in the crisis lane, which looks up none.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_latency.count IS 'Operations measured.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_latency.p50 IS 'Half took at most this long, in ms from the call to the commit that made them visible; never below the true value and at most 3.2 % above.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_latency.p95 IS '95 % took at most this long, in ms.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_latency.p99 IS '99 % took at most this long, in ms.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_latency.p999 IS '99.9 % took at most this long, in ms.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_latency.max IS 'The longest, in ms.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_latency.target IS 'What is owed, in ms.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_latency.attainment IS 'Share of the operations that were within the target in force when they were measured.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_latency.since IS 'When counting began.';

CREATE VIEW paws_sync.pg_stat_paws_sync_lanes WITH (security_invoker) AS
	SELECT lane, level, level_number, depth, oldest_age, in_rate, out_rate, paused
	FROM paws_sync.stat_lanes();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_lanes FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_lanes IS 'What waits at each level.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.lane IS 'Lane of the level.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.level IS 'The level by name.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.level_number IS 'The level, 10 is most urgent.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.depth IS 'Operations that wait, from counters in shared memory.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.oldest_age IS 'How long the oldest of the 200 that are served next has waited, as of at most about a second ago.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.in_rate IS 'Operations that came, a second, over the last ten or so.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.out_rate IS 'Operations that were finished, a second, over the last ten or so.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.paused IS 'Whether nothing of it is served until resume_level.';

CREATE VIEW paws_sync.pg_stat_paws_sync_workers WITH (security_invoker) AS
	SELECT kind, database, pid, state, batches, operations, errors, started_at, last_active_at
	FROM paws_sync.stat_workers();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_workers FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_workers IS 'The background workers.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_workers.kind IS 'launcher, scheduler or pool.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_workers.database IS 'Database it serves; NULL for the launcher.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_workers.pid IS 'Process; NULL while it starts.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_workers.state IS 'starting, idle or working.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_workers.batches IS 'Transactions that applied a batch; for a scheduler its turns.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_workers.operations IS 'Operations finished.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_workers.errors IS 'Transactions that failed.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_workers.started_at IS 'When it started.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_workers.last_active_at IS 'When it last did something.';

CREATE VIEW paws_sync.policy WITH (security_barrier) AS
	SELECT (enum_range(NULL::paws_sync.class))[class] AS class, (enum_range(NULL::paws_sync.tier))[tier] AS tier,
		level::integer::paws_sync.level AS level, level::integer AS level_number,
		make_interval(secs => target_ms / 1000.0) AS target, shipped
	FROM paws_queue.effective_policy;
REVOKE ALL ON TABLE paws_sync.policy FROM PUBLIC;
COMMENT ON VIEW paws_sync.policy IS 'Level and target of each class and tier, as in force.';
COMMENT ON COLUMN paws_sync.policy.class IS 'Class of operations.';
COMMENT ON COLUMN paws_sync.policy.tier IS 'Tier of the subject.';
COMMENT ON COLUMN paws_sync.policy.level IS 'The level that they wait at, by name.';
COMMENT ON COLUMN paws_sync.policy.level_number IS 'The level, 10 is most urgent.';
COMMENT ON COLUMN paws_sync.policy.target IS 'The latency that is owed.';
COMMENT ON COLUMN paws_sync.policy.shipped IS 'False where an operator set it.';

CREATE VIEW paws_sync.tier_policy WITH (security_barrier) AS
	SELECT (enum_range(NULL::paws_sync.tier))[tier] AS tier, ops_per_second, ops_burst, bytes_per_second, bytes_burst,
		max_payload, max_devices, make_interval(hours => offline_hours) AS offline_window,
		coalesce(v.name, 'none') AS compression, compression_level, shipped
	FROM paws_queue.effective_tier_policy e
	LEFT JOIN paws_sync.vocabulary() v ON v.kind = 'compression' AND v.code = e.compression;
REVOKE ALL ON TABLE paws_sync.tier_policy FROM PUBLIC;
COMMENT ON VIEW paws_sync.tier_policy IS 'What each tier may push, and how long undelivered feed entries are kept. Crisis classes have none of these limits.';
COMMENT ON COLUMN paws_sync.tier_policy.tier IS 'Tier of the subject.';
COMMENT ON COLUMN paws_sync.tier_policy.ops_per_second IS 'Operations a second, sustained, for one subject.';
COMMENT ON COLUMN paws_sync.tier_policy.ops_burst IS 'Operations at once after a pause.';
COMMENT ON COLUMN paws_sync.tier_policy.bytes_per_second IS 'Payload bytes a second, sustained, for one subject.';
COMMENT ON COLUMN paws_sync.tier_policy.bytes_burst IS 'Payload bytes at once after a pause.';
COMMENT ON COLUMN paws_sync.tier_policy.max_payload IS 'Bytes of one payload.';
COMMENT ON COLUMN paws_sync.tier_policy.max_devices IS 'Devices with full service; further ones have the crisis lane.';
COMMENT ON COLUMN paws_sync.tier_policy.offline_window IS 'How long a device may be away before it has to begin anew.';
COMMENT ON COLUMN paws_sync.tier_policy.compression IS 'Codec for payloads of compressible collections.';
COMMENT ON COLUMN paws_sync.tier_policy.compression_level IS 'Level of the codec; 0 for none.';
COMMENT ON COLUMN paws_sync.tier_policy.shipped IS 'False where an operator set it.';

CREATE FUNCTION paws_sync.set_policy(class paws_sync.class, tier paws_sync.tier, level paws_sync.level, target_ms integer)
	RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	IF num_nulls($1, $2, $3, $4) > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'class, tier, level and target_ms must not be null';
	END IF;
	IF $1 IN ('emergency', 'safety') THEN
		RAISE EXCEPTION USING ERRCODE = 'PW005', MESSAGE = 'crisis policy cannot be changed',
			HINT = 'Emergency and safety are served at levels 10 and 9 within 200 ms in every tier.';
	END IF;
	IF $3::integer > 8 OR $4 NOT BETWEEN 1 AND 86400000 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'level or target_ms is out of range',
			HINT = 'Ordinary levels are 1 to 8, targets 1 ms to one day.';
	END IF;
	INSERT INTO paws_queue.policy AS p (class, tier, level, target_ms)
	VALUES (array_position(enum_range(NULL::paws_sync.class), $1), array_position(enum_range(NULL::paws_sync.tier), $2),
		$3::integer, $4)
	ON CONFLICT ON CONSTRAINT policy_pkey DO UPDATE SET level = EXCLUDED.level, target_ms = EXCLUDED.target_ms;
END
$$;
REVOKE ALL ON FUNCTION paws_sync.set_policy(paws_sync.class, paws_sync.tier, paws_sync.level, integer) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.set_policy(paws_sync.class, paws_sync.tier, paws_sync.level, integer) IS
	'Sets level and target of an ordinary class for a tier; new operations follow it. Grace can never be set below premium.';

CREATE FUNCTION paws_sync.set_tier_policy(tier paws_sync.tier, ops_per_second integer DEFAULT NULL, ops_burst integer DEFAULT NULL,
	bytes_per_second bigint DEFAULT NULL, bytes_burst bigint DEFAULT NULL, max_payload integer DEFAULT NULL,
	max_devices integer DEFAULT NULL, offline_hours integer DEFAULT NULL, compression text DEFAULT NULL,
	compression_level integer DEFAULT NULL)
	RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	now_in_force paws_queue.effective_tier_policy;
	codec smallint;
	codec_level integer;
BEGIN
	IF $1 IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'tier must not be null';
	END IF;
	SELECT * INTO STRICT now_in_force FROM paws_queue.effective_tier_policy e
	WHERE e.tier = array_position(enum_range(NULL::paws_sync.tier), $1);
	codec := CASE WHEN $9 = 'none' THEN 0 ELSE coalesce(array_position('{lz4,zstd}'::text[], $9), -1) END;
	IF $9 IS NULL THEN
		codec := now_in_force.compression;
	ELSIF codec < 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'unknown compression',
			HINT = 'Use none, lz4 or zstd.';
	END IF;
	codec_level := coalesce($10, CASE WHEN codec = now_in_force.compression THEN now_in_force.compression_level::integer
		WHEN codec = 0 THEN 0 ELSE 1 END);
	IF codec = 0 AND codec_level <> 0 OR codec = 1 AND codec_level NOT BETWEEN 1 AND 12
		OR codec = 2 AND codec_level NOT BETWEEN 1 AND 19 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'compression_level is out of range',
			HINT = 'lz4 has levels 1 to 12, zstd 1 to 19, none has 0.';
	END IF;
	INSERT INTO paws_queue.tier_policy AS p (tier, ops_per_second, ops_burst, bytes_per_second, bytes_burst, max_payload,
		max_devices, offline_hours, compression, compression_level)
	VALUES (now_in_force.tier, coalesce($2, now_in_force.ops_per_second), coalesce($3, now_in_force.ops_burst),
		coalesce($4, now_in_force.bytes_per_second), coalesce($5, now_in_force.bytes_burst),
		coalesce($6, now_in_force.max_payload), coalesce($7, now_in_force.max_devices),
		coalesce($8, now_in_force.offline_hours), codec, codec_level)
	ON CONFLICT ON CONSTRAINT tier_policy_pkey DO UPDATE SET ops_per_second = EXCLUDED.ops_per_second,
		ops_burst = EXCLUDED.ops_burst, bytes_per_second = EXCLUDED.bytes_per_second, bytes_burst = EXCLUDED.bytes_burst,
		max_payload = EXCLUDED.max_payload, max_devices = EXCLUDED.max_devices, offline_hours = EXCLUDED.offline_hours,
		compression = EXCLUDED.compression, compression_level = EXCLUDED.compression_level;
END
$$;
REVOKE ALL ON FUNCTION paws_sync.set_tier_policy(paws_sync.tier, integer, integer, bigint, bigint, integer, integer, integer, text, integer) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.set_tier_policy(paws_sync.tier, integer, integer, bigint, bigint, integer, integer, integer, text, integer) IS
	'Sets limits of a tier; what is not given stays as it is. Crisis classes have none of these limits.';

CREATE VIEW paws_sync.pg_stat_paws_sync_memory WITH (security_invoker) AS
	SELECT pid, kind, memory, bytes
	FROM paws_sync.stat_memory();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_memory FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_memory IS 'Which processes of the server hold keys, and whether in locked memory.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_memory.pid IS 'Process.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_memory.kind IS 'Its type, as in pg_stat_activity; postmaster for the server''s first process.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_memory.memory IS 'locked; unlocked, so that keys may be written to swap space; none if it used no key so far.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_memory.bytes IS 'Memory for keys in use; 0 with none.';
