-- control: policy and limits, as operators see and set them, and what admission and the reserve did.

CREATE VIEW paws_sync.policy WITH (security_barrier) AS
	SELECT (enum_range(NULL::paws_sync.class))[p.class] AS class, (enum_range(NULL::paws_sync.tier))[p.tier] AS tier,
		p.level::integer::paws_sync.level AS level, p.level::integer AS level_number,
		make_interval(secs => p.target_ms / 1000.0) AS target, p.shipped, l.own_limits, l.ops_per_second, l.ops_burst,
		l.bytes_per_second, l.bytes_burst, l.pull_bytes_per_second, l.pull_bytes_burst
	FROM paws_queue.effective_policy p
	LEFT JOIN paws_queue.effective_limits l ON l.class = p.class AND l.tier = p.tier;
REVOKE ALL ON TABLE paws_sync.policy FROM PUBLIC;
COMMENT ON VIEW paws_sync.policy IS 'Level, target and limits of each class and tier, as in force.';
COMMENT ON COLUMN paws_sync.policy.class IS 'Class of operations.';
COMMENT ON COLUMN paws_sync.policy.tier IS 'Tier of the subject.';
COMMENT ON COLUMN paws_sync.policy.level IS 'The level that they wait at, by name.';
COMMENT ON COLUMN paws_sync.policy.level_number IS 'The level, 10 is most urgent.';
COMMENT ON COLUMN paws_sync.policy.target IS 'The latency that is owed.';
COMMENT ON COLUMN paws_sync.policy.shipped IS 'False where an operator set it.';
COMMENT ON COLUMN paws_sync.policy.own_limits IS 'True: a subject has an allowance for this class alone. False: it draws on the one that the tier gives for all such classes together. NULL, as all limits: crisis, which has none.';
COMMENT ON COLUMN paws_sync.policy.ops_per_second IS 'Operations a second, sustained.';
COMMENT ON COLUMN paws_sync.policy.ops_burst IS 'Operations at once after a pause.';
COMMENT ON COLUMN paws_sync.policy.bytes_per_second IS 'Payload bytes pushed a second, sustained.';
COMMENT ON COLUMN paws_sync.policy.bytes_burst IS 'Payload bytes pushed at once after a pause.';
COMMENT ON COLUMN paws_sync.policy.pull_bytes_per_second IS 'Payload bytes pulled a second, sustained.';
COMMENT ON COLUMN paws_sync.policy.pull_bytes_burst IS 'Payload bytes pulled at once after a pause.';

CREATE VIEW paws_sync.tier_policy WITH (security_barrier) AS
	SELECT (enum_range(NULL::paws_sync.tier))[tier] AS tier, ops_per_second, ops_burst, bytes_per_second, bytes_burst,
		max_payload, max_devices, make_interval(hours => offline_hours) AS offline_window,
		coalesce(v.name, 'none') AS compression, compression_level, shipped, pull_bytes_per_second, pull_bytes_burst,
		ARRAY(SELECT f.feature FROM unnest(enum_range(NULL::paws_sync.feature)) WITH ORDINALITY AS f (feature, code)
			WHERE e.features::integer & (1 << f.code::integer - 1) <> 0 ORDER BY f.code) AS features
	FROM paws_queue.effective_tier_policy e
	LEFT JOIN paws_sync.vocabulary() v ON v.kind = 'compression' AND v.code = e.compression;
REVOKE ALL ON TABLE paws_sync.tier_policy FROM PUBLIC;
COMMENT ON VIEW paws_sync.tier_policy IS 'What each tier may push and pull, and how long undelivered feed entries are kept. Crisis classes have none of these limits.';
COMMENT ON COLUMN paws_sync.tier_policy.tier IS 'Tier of the subject.';
COMMENT ON COLUMN paws_sync.tier_policy.ops_per_second IS 'Operations a second, sustained, for one subject.';
COMMENT ON COLUMN paws_sync.tier_policy.ops_burst IS 'Operations at once after a pause.';
COMMENT ON COLUMN paws_sync.tier_policy.bytes_per_second IS 'Payload bytes pushed a second, sustained, for one subject.';
COMMENT ON COLUMN paws_sync.tier_policy.bytes_burst IS 'Payload bytes pushed at once after a pause.';
COMMENT ON COLUMN paws_sync.tier_policy.max_payload IS 'Bytes of one payload.';
COMMENT ON COLUMN paws_sync.tier_policy.max_devices IS 'Devices with full service; further ones have the crisis lane.';
COMMENT ON COLUMN paws_sync.tier_policy.offline_window IS 'How long a device may be away before it has to begin anew.';
COMMENT ON COLUMN paws_sync.tier_policy.compression IS 'Codec for payloads of compressible collections.';
COMMENT ON COLUMN paws_sync.tier_policy.compression_level IS 'Level of the codec; 0 for none.';
COMMENT ON COLUMN paws_sync.tier_policy.shipped IS 'False where an operator set it.';
COMMENT ON COLUMN paws_sync.tier_policy.pull_bytes_per_second IS 'Payload bytes pulled a second, sustained, for one subject.';
COMMENT ON COLUMN paws_sync.tier_policy.pull_bytes_burst IS 'Payload bytes pulled at once after a pause.';
COMMENT ON COLUMN paws_sync.tier_policy.features IS 'What the app offers in this tier; for the app to read, the engine asks it for nothing.';

CREATE FUNCTION paws_sync.set_policy(class paws_sync.class, tier paws_sync.tier, level paws_sync.level DEFAULT NULL, target_ms integer DEFAULT NULL,
	own_limits boolean DEFAULT NULL, ops_per_second integer DEFAULT NULL, ops_burst integer DEFAULT NULL, bytes_per_second bigint DEFAULT NULL,
	bytes_burst bigint DEFAULT NULL, pull_bytes_per_second bigint DEFAULT NULL, pull_bytes_burst bigint DEFAULT NULL)
	RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	given CONSTANT integer := num_nonnulls($6, $7, $8, $9, $10, $11);
	base paws_queue.effective_policy;
	now_in_force paws_queue.effective_limits;
	grace paws_queue.effective_limits;
	own boolean;
BEGIN
	IF num_nulls($1, $2) > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'class and tier must not be null';
	END IF;
	IF $1 IN ('emergency', 'safety') THEN
		RAISE EXCEPTION USING ERRCODE = 'PW005', MESSAGE = 'crisis policy cannot be changed',
			HINT = 'Emergency and safety are served at levels 10 and 9 within 200 ms in every tier, without limits.';
	END IF;
	IF $3::integer > 8 OR $4 NOT BETWEEN 1 AND 86400000 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'level or target_ms is out of range',
			HINT = 'Ordinary levels are 1 to 8, targets 1 ms to one day.';
	END IF;
	IF NOT $5 AND given > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'limits are given for a class that shall have none of its own',
			HINT = 'Leave own_limits out, or the limits.';
	END IF;
	-- as the trigger does, before anything is read that the change rests on
	LOCK TABLE paws_queue.policy IN SHARE UPDATE EXCLUSIVE MODE;
	SELECT * INTO STRICT base FROM paws_queue.effective_policy e
	WHERE e.class = array_position(enum_range(NULL::paws_sync.class), $1) AND e.tier = array_position(enum_range(NULL::paws_sync.tier), $2);
	SELECT * INTO STRICT now_in_force FROM paws_queue.effective_limits l WHERE l.class = base.class AND l.tier = base.tier;
	own := coalesce($5, now_in_force.own_limits OR given > 0);
	IF own THEN
		base.ops_per_second := coalesce($6, now_in_force.ops_per_second);
		base.ops_burst := coalesce($7, now_in_force.ops_burst);
		base.bytes_per_second := coalesce($8, now_in_force.bytes_per_second);
		base.bytes_burst := coalesce($9, now_in_force.bytes_burst);
		base.pull_bytes_per_second := coalesce($10, now_in_force.pull_bytes_per_second);
		base.pull_bytes_burst := coalesce($11, now_in_force.pull_bytes_burst);
	ELSE
		SELECT NULL, NULL, NULL, NULL, NULL, NULL INTO base.ops_per_second, base.ops_burst, base.bytes_per_second,
			base.bytes_burst, base.pull_bytes_per_second, base.pull_bytes_burst;
	END IF;
	SELECT * INTO STRICT grace FROM paws_queue.effective_limits l WHERE l.class = base.class AND l.tier = 4;
	IF base.tier = 3 AND (own OR grace.own_limits) THEN
		-- what premium is given, grace_period has as well
		INSERT INTO paws_queue.policy AS p (class, tier, level, target_ms, ops_per_second, ops_burst, bytes_per_second, bytes_burst,
			pull_bytes_per_second, pull_bytes_burst)
		SELECT e.class, e.tier, e.level, e.target_ms,
			greatest(grace.ops_per_second, coalesce(base.ops_per_second, t.ops_per_second)),
			greatest(grace.ops_burst, coalesce(base.ops_burst, t.ops_burst)),
			greatest(grace.bytes_per_second, coalesce(base.bytes_per_second, t.bytes_per_second)),
			greatest(grace.bytes_burst, coalesce(base.bytes_burst, t.bytes_burst)),
			greatest(grace.pull_bytes_per_second, coalesce(base.pull_bytes_per_second, t.pull_bytes_per_second)),
			greatest(grace.pull_bytes_burst, coalesce(base.pull_bytes_burst, t.pull_bytes_burst))
		FROM paws_queue.effective_policy e, paws_queue.effective_tier_policy t
		WHERE e.class = base.class AND e.tier = 4 AND t.tier = 3
		ON CONFLICT ON CONSTRAINT policy_pkey DO UPDATE SET ops_per_second = EXCLUDED.ops_per_second, ops_burst = EXCLUDED.ops_burst,
			bytes_per_second = EXCLUDED.bytes_per_second, bytes_burst = EXCLUDED.bytes_burst,
			pull_bytes_per_second = EXCLUDED.pull_bytes_per_second, pull_bytes_burst = EXCLUDED.pull_bytes_burst;
	END IF;
	INSERT INTO paws_queue.policy AS p (class, tier, level, target_ms, ops_per_second, ops_burst, bytes_per_second, bytes_burst,
		pull_bytes_per_second, pull_bytes_burst)
	VALUES (base.class, base.tier, coalesce($3::integer, base.level), coalesce($4, base.target_ms), base.ops_per_second, base.ops_burst,
		base.bytes_per_second, base.bytes_burst, base.pull_bytes_per_second, base.pull_bytes_burst)
	ON CONFLICT ON CONSTRAINT policy_pkey DO UPDATE SET level = EXCLUDED.level, target_ms = EXCLUDED.target_ms,
		ops_per_second = EXCLUDED.ops_per_second, ops_burst = EXCLUDED.ops_burst, bytes_per_second = EXCLUDED.bytes_per_second,
		bytes_burst = EXCLUDED.bytes_burst, pull_bytes_per_second = EXCLUDED.pull_bytes_per_second,
		pull_bytes_burst = EXCLUDED.pull_bytes_burst;
END
$$;
REVOKE ALL ON FUNCTION paws_sync.set_policy(paws_sync.class, paws_sync.tier, paws_sync.level, integer, boolean, integer, integer, bigint, bigint, bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.set_policy(paws_sync.class, paws_sync.tier, paws_sync.level, integer, boolean, integer, integer, bigint, bigint, bigint, bigint) IS
	'Sets level, target and limits of an ordinary class for a tier; what is not given stays. A class with a limit, or with own_limits, has an allowance for itself; without own_limits it goes back to that of the tier. Limits of premium lift those of grace_period with them, which can never be set below.';

CREATE FUNCTION paws_sync.set_tier_policy(tier paws_sync.tier, ops_per_second integer DEFAULT NULL, ops_burst integer DEFAULT NULL,
	bytes_per_second bigint DEFAULT NULL, bytes_burst bigint DEFAULT NULL, max_payload integer DEFAULT NULL,
	max_devices integer DEFAULT NULL, offline_hours integer DEFAULT NULL, compression text DEFAULT NULL,
	compression_level integer DEFAULT NULL, pull_bytes_per_second bigint DEFAULT NULL, pull_bytes_burst bigint DEFAULT NULL,
	features paws_sync.feature[] DEFAULT NULL)
	RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	new paws_queue.effective_tier_policy;
	codec smallint;
BEGIN
	IF $1 IS NULL OR array_position($13, NULL) > 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'tier and features must not be null';
	END IF;
	-- as the trigger does, before anything is read that the change rests on
	LOCK TABLE paws_queue.policy IN SHARE UPDATE EXCLUSIVE MODE;
	SELECT * INTO STRICT new FROM paws_queue.effective_tier_policy e
	WHERE e.tier = array_position(enum_range(NULL::paws_sync.tier), $1);
	codec := CASE WHEN $9 = 'none' THEN 0 ELSE coalesce(array_position('{lz4,zstd}'::text[], $9), -1) END;
	IF $9 IS NULL THEN
		codec := new.compression;
	ELSIF codec < 0 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'unknown compression',
			HINT = 'Use none, lz4 or zstd.';
	END IF;
	IF $10 NOT BETWEEN 0 AND 19 THEN
		codec := -1;
	ELSE
		new.compression_level := coalesce($10, CASE WHEN codec = new.compression THEN new.compression_level::integer
			WHEN codec = 0 THEN 0 ELSE 1 END);
	END IF;
	new.compression := codec;
	IF codec < 0 OR codec = 0 AND new.compression_level <> 0 OR codec = 1 AND new.compression_level NOT BETWEEN 1 AND 12
		OR codec = 2 AND new.compression_level NOT BETWEEN 1 AND 19 THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'compression_level is out of range',
			HINT = 'lz4 has levels 1 to 12, zstd 1 to 19, none has 0.';
	END IF;
	new.ops_per_second := coalesce($2, new.ops_per_second);
	new.ops_burst := coalesce($3, new.ops_burst);
	new.bytes_per_second := coalesce($4, new.bytes_per_second);
	new.bytes_burst := coalesce($5, new.bytes_burst);
	new.max_payload := coalesce($6, new.max_payload);
	new.max_devices := coalesce($7, new.max_devices);
	new.offline_hours := coalesce($8, new.offline_hours);
	new.pull_bytes_per_second := coalesce($11, new.pull_bytes_per_second);
	new.pull_bytes_burst := coalesce($12, new.pull_bytes_burst);
	IF $13 IS NOT NULL THEN
		SELECT coalesce(bit_or(1 << array_position(enum_range(NULL::paws_sync.feature), f) - 1), 0) INTO new.features FROM unnest($13) AS f;
	END IF;
	new.shipped := false;
	IF new.tier = 3 THEN
		-- what premium is given, grace_period has as well, and its classes with limits of their own
		UPDATE paws_queue.policy AS p SET ops_per_second = greatest(p.ops_per_second, new.ops_per_second),
			ops_burst = greatest(p.ops_burst, new.ops_burst), bytes_per_second = greatest(p.bytes_per_second, new.bytes_per_second),
			bytes_burst = greatest(p.bytes_burst, new.bytes_burst),
			pull_bytes_per_second = greatest(p.pull_bytes_per_second, new.pull_bytes_per_second),
			pull_bytes_burst = greatest(p.pull_bytes_burst, new.pull_bytes_burst)
		FROM paws_queue.effective_limits l
		WHERE l.class = p.class AND l.tier = 3 AND NOT l.own_limits AND p.tier = 4 AND NOT p.shipped AND p.ops_per_second IS NOT NULL;
		INSERT INTO paws_queue.tier_policy
		SELECT e.tier, greatest(e.ops_per_second, new.ops_per_second), greatest(e.ops_burst, new.ops_burst),
			greatest(e.bytes_per_second, new.bytes_per_second), greatest(e.bytes_burst, new.bytes_burst),
			greatest(e.max_payload, new.max_payload), greatest(e.max_devices, new.max_devices), greatest(e.offline_hours, new.offline_hours),
			e.compression, e.compression_level, false, greatest(e.pull_bytes_per_second, new.pull_bytes_per_second),
			greatest(e.pull_bytes_burst, new.pull_bytes_burst), e.features | new.features
		FROM paws_queue.effective_tier_policy e
		WHERE e.tier = 4 AND (e.ops_per_second < new.ops_per_second OR e.ops_burst < new.ops_burst OR e.bytes_per_second < new.bytes_per_second
			OR e.bytes_burst < new.bytes_burst OR e.max_payload < new.max_payload OR e.max_devices < new.max_devices
			OR e.offline_hours < new.offline_hours OR e.pull_bytes_per_second < new.pull_bytes_per_second
			OR e.pull_bytes_burst < new.pull_bytes_burst OR e.features & new.features <> new.features)
		ON CONFLICT ON CONSTRAINT tier_policy_pkey DO UPDATE SET ops_per_second = EXCLUDED.ops_per_second, ops_burst = EXCLUDED.ops_burst,
			bytes_per_second = EXCLUDED.bytes_per_second, bytes_burst = EXCLUDED.bytes_burst, max_payload = EXCLUDED.max_payload,
			max_devices = EXCLUDED.max_devices, offline_hours = EXCLUDED.offline_hours,
			pull_bytes_per_second = EXCLUDED.pull_bytes_per_second, pull_bytes_burst = EXCLUDED.pull_bytes_burst, features = EXCLUDED.features;
	END IF;
	INSERT INTO paws_queue.tier_policy SELECT new.*
	ON CONFLICT ON CONSTRAINT tier_policy_pkey DO UPDATE SET ops_per_second = EXCLUDED.ops_per_second, ops_burst = EXCLUDED.ops_burst,
		bytes_per_second = EXCLUDED.bytes_per_second, bytes_burst = EXCLUDED.bytes_burst, max_payload = EXCLUDED.max_payload,
		max_devices = EXCLUDED.max_devices, offline_hours = EXCLUDED.offline_hours, compression = EXCLUDED.compression,
		compression_level = EXCLUDED.compression_level, pull_bytes_per_second = EXCLUDED.pull_bytes_per_second,
		pull_bytes_burst = EXCLUDED.pull_bytes_burst, features = EXCLUDED.features;
END
$$;
REVOKE ALL ON FUNCTION paws_sync.set_tier_policy(paws_sync.tier, integer, integer, bigint, bigint, integer, integer, integer, text, integer, bigint, bigint, paws_sync.feature[]) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.set_tier_policy(paws_sync.tier, integer, integer, bigint, bigint, integer, integer, integer, text, integer, bigint, bigint, paws_sync.feature[]) IS
	'Sets limits and features of a tier; what is not given stays as it is. What premium is given, grace_period has as well, and it can never be set below. Crisis classes have none of these limits.';

CREATE FUNCTION paws_sync.stat_admission()
	RETURNS TABLE (class paws_sync.class, tier paws_sync.tier, admitted bigint, limited bigint, untracked bigint, bytes_in bigint,
		bytes_out bigint, pages_cut bigint, since timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 24
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_stat_admission';
REVOKE ALL ON FUNCTION paws_sync.stat_admission() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_admission() IS
	'Behind the view pg_stat_paws_sync_admission.';

CREATE VIEW paws_sync.pg_stat_paws_sync_admission WITH (security_invoker) AS
	SELECT class, tier, admitted, limited, untracked, bytes_in, bytes_out, pages_cut, since
	FROM paws_sync.stat_admission();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_admission FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_admission IS 'What was asked of the allowances of subjects, by class and tier. The crisis lane asks for nothing.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_admission.class IS 'Class of the operations and documents.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_admission.tier IS 'Tier they were asked for as.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_admission.admitted IS 'Operations pushed.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_admission.limited IS 'Operations refused, for now, by an allowance or the byte budget.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_admission.untracked IS 'Operations and payloads let through without an allowance, since paws_sync.max_subjects_limited left no room for one.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_admission.bytes_in IS 'Payload bytes pushed.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_admission.bytes_out IS 'Payload bytes pulled.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_admission.pages_cut IS 'Pulls that ended early, with a row "limited".';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_admission.since IS 'When counting began.';

CREATE FUNCTION paws_sync.stat_reserve()
	RETURNS TABLE (resource text, unit text, capacity bigint, reserved bigint, held boolean, lent bigint, used_by_crisis bigint,
		used_by_ordinary bigint, held_back bigint, since timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 2
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_stat_reserve';
REVOKE ALL ON FUNCTION paws_sync.stat_reserve() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_reserve() IS
	'Behind the view pg_stat_paws_sync_reserve.';

CREATE VIEW paws_sync.pg_stat_paws_sync_reserve WITH (security_invoker) AS
	SELECT resource, unit, capacity, reserved, held, lent, used_by_crisis, used_by_ordinary, held_back, since
	FROM paws_sync.stat_reserve();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_reserve FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_reserve IS 'What is kept back for the crisis lane, lent while it is quiet, and used, in the whole server.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_reserve.resource IS 'worker_time or bytes.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_reserve.unit IS 'What all numbers of the row count: us or bytes.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_reserve.capacity IS 'What there is in a second: all pool workers, or paws_sync.byte_budget; NULL without a budget.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_reserve.reserved IS 'Of that, what paws_sync.crisis_reserve keeps back.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_reserve.held IS 'True while crisis is at work, and for 20 ms after: nothing is lent.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_reserve.lent IS 'What ordinary work used of the reserve since counting began.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_reserve.used_by_crisis IS 'What crisis used. It is never asked for more, nor held to this.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_reserve.used_by_ordinary IS 'What ordinary work used, with what was lent to it.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_reserve.held_back IS 'Pauses that pool workers made for crisis; bytes that the budget refused.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_reserve.since IS 'When counting began.';
