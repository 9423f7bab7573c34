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
		out_rate double precision, paused boolean, jobs bigint)
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
	'Starts the counting of latencies, admissions and the reserve anew.';

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
	SELECT lane, level, level_number, depth, oldest_age, in_rate, out_rate, paused, jobs
	FROM paws_sync.stat_lanes();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_lanes FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_lanes IS 'What waits at each level.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.lane IS 'Lane of the level.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.level IS 'The level by name.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.level_number IS 'The level, 10 is most urgent.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.depth IS 'Operations of devices that wait, from counters in shared memory.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.oldest_age IS 'How long the oldest of the 200 that are served next has waited, as of at most about a second ago.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.in_rate IS 'Operations that came, a second, over the last ten or so.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.out_rate IS 'Operations that were finished, a second, over the last ten or so.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.paused IS 'Whether nothing of it is served until resume_level.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_lanes.jobs IS 'Jobs of all topics that wait or run; pg_stat_paws_sync_topics has them by topic.';

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

CREATE VIEW paws_sync.pg_stat_paws_sync_memory WITH (security_invoker) AS
	SELECT pid, kind, memory, bytes
	FROM paws_sync.stat_memory();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_memory FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_memory IS 'Which processes of the server hold keys, and whether in locked memory.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_memory.pid IS 'Process.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_memory.kind IS 'Its type, as in pg_stat_activity; postmaster for the server''s first process.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_memory.memory IS 'locked; unlocked, so that keys may be written to swap space; none if it used no key so far.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_memory.bytes IS 'Memory for keys in use; 0 with none.';
