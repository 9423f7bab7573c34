-- horizon: who keeps dead rows from being removed, since when, and what it costs.

CREATE FUNCTION paws_sync.horizon_since(transaction bigint)
	RETURNS timestamptz
	LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_horizon_since';
REVOKE ALL ON FUNCTION paws_sync.horizon_since(bigint) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.horizon_since(bigint) IS
	'Behind stat_horizon: when a transaction began at the earliest, from what schedulers noted; NULL if that is longer ago than they remember.';

CREATE FUNCTION paws_sync.horizon_counts(pid integer)
	RETURNS boolean
	LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_horizon_counts';
REVOKE ALL ON FUNCTION paws_sync.horizon_counts(integer) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.horizon_counts(integer) IS
	'Behind stat_horizon: false for a process that is gone, or whose snapshot holds nothing though it is shown: VACUUM, and logical decoding.';

CREATE FUNCTION paws_sync.horizon_cost(horizons bigint[])
	RETURNS TABLE (holder integer, dead_rows bigint, dead_bytes bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_horizon_cost';
REVOKE ALL ON FUNCTION paws_sync.horizon_cost(bigint[]) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.horizon_cost(bigint[]) IS
	'Behind stat_horizon: for each transaction the dead rows, and their bytes, that stay in our tables as long as all since it must be kept. Counted on up to 64 pages of each table.';

-- Which holds what: a snapshot holds the rows of its own database, and a transaction that has written those of all, since it
-- is in the snapshots of all. VACUUM holds nothing, though it shows a snapshot; what reads a slot is told by the slot.
CREATE FUNCTION paws_sync.stat_horizon()
	RETURNS TABLE (kind text, pid integer, slot name, state text, transactions bigint, since timestamptz, holds text, dead_rows bigint,
		dead_bytes bigint)
	LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
	WITH holder (kind, pid, slot, state, horizon, catalog_horizon, since) AS MATERIALIZED (
		SELECT CASE a.backend_type WHEN 'walsender' THEN 'standby' ELSE 'session' END, a.pid, NULL::name,
			CASE WHEN a.backend_type = 'walsender' THEN 'feedback'
				WHEN NOT (a.state LIKE 'idle in transaction%' OR coalesce(a.state, 'disabled') = 'disabled' AND a.wait_event = 'ClientRead') THEN 'active'
				WHEN a.backend_xmin IS NULL THEN 'idle after writing' ELSE 'idle with a snapshot' END,
			CASE WHEN age(a.backend_xid) > coalesce(age(a.backend_xmin), -1) THEN a.backend_xid ELSE a.backend_xmin END,
			NULL::xid, CASE a.backend_type WHEN 'walsender' THEN NULL ELSE a.xact_start END
		FROM pg_stat_activity a
		WHERE (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL
				AND (a.backend_type = 'walsender' OR a.datid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())))
			AND (a.pid <> pg_backend_pid() OR current_setting('transaction_isolation') <> 'read committed')
			AND paws_sync.horizon_counts(a.pid)
			AND NOT EXISTS (SELECT FROM pg_replication_slots r WHERE r.active_pid = a.pid)
		UNION ALL
		SELECT 'prepared transaction', NULL, NULL, 'prepared', p.transaction, NULL, p.prepared FROM pg_prepared_xacts p
		UNION ALL
		SELECT CASE WHEN r.slot_type = 'physical' AND r.active THEN 'standby' ELSE 'replication slot' END, r.active_pid, r.slot_name,
			CASE WHEN NOT r.active THEN 'inactive' WHEN r.slot_type = 'physical' THEN 'feedback' ELSE 'active' END, r.xmin, r.catalog_xmin, NULL
		FROM pg_replication_slots r WHERE num_nonnulls(r.xmin, r.catalog_xmin) > 0),
	aged AS MATERIALIZED (
		SELECT h.*, row_number() OVER () AS number,
			CASE WHEN age(h.catalog_horizon) > coalesce(age(h.horizon), -1) THEN h.catalog_horizon ELSE h.horizon END AS oldest
		FROM holder h)
	SELECT a.kind, a.pid, a.slot, a.state, age(a.oldest)::bigint,
		coalesce(a.since, paws_sync.horizon_since(a.oldest::text::bigint)),
		CASE WHEN a.horizon IS NULL THEN 'catalogs' ELSE 'rows' END, c.dead_rows, c.dead_bytes
	FROM aged a JOIN paws_sync.horizon_cost((SELECT array_agg(o.horizon::text::bigint ORDER BY o.number) FROM aged o)) c ON c.holder = a.number
	ORDER BY c.dead_rows DESC, age(a.oldest) DESC
	$$;
REVOKE ALL ON FUNCTION paws_sync.stat_horizon() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_horizon() IS
	'Behind the view pg_stat_paws_sync_horizon.';

CREATE VIEW paws_sync.pg_stat_paws_sync_horizon WITH (security_invoker) AS
	SELECT kind, pid, slot, state, transactions, since, holds, dead_rows, dead_bytes
	FROM paws_sync.stat_horizon();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_horizon FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_horizon IS 'Who keeps dead rows from being removed, and what that costs; the dearest first.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_horizon.kind IS 'session, prepared transaction, replication slot or standby.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_horizon.pid IS 'Process of the server; NULL where none is connected.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_horizon.slot IS 'Name of the replication slot; NULL without one.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_horizon.state IS 'Of a session: active, idle with a snapshot (REPEATABLE READ and above, or an open cursor), or idle after writing. Else prepared, inactive, active or feedback.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_horizon.transactions IS 'Transactions that began since, in the whole cluster.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_horizon.since IS 'When it began, to a sixteenth or so of its age where only the noted numbers of transactions tell; NULL if before all notes.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_horizon.holds IS 'rows, or catalogs alone.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_horizon.dead_rows IS 'Dead rows of our tables that cannot be removed while it is there; an estimate from up to 64 pages of each table.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_horizon.dead_bytes IS 'Bytes of these rows, without indexes.';

-- One check for each kind, whose value is the dearest holder.
CREATE FUNCTION paws_sync.doctor_horizon()
	RETURNS TABLE (area text, check_name text, ok boolean, value text, wanted text, hint text)
	LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 4
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$
	WITH holder AS MATERIALIZED (
		SELECT h.*, h.since < clock_timestamp() - '1 hour'::interval OR h.transactions >= 10000000 OR h.dead_rows >= 100000 AS is_late
		FROM paws_sync.stat_horizon() h),
	said AS (
		SELECT h.kind, h.is_late, row_number() OVER (PARTITION BY h.kind ORDER BY coalesce(h.is_late, false) DESC, h.dead_rows DESC, h.transactions DESC) AS place,
			concat_ws(', ', 'slot ' || h.slot, 'pid ' || h.pid, h.state) || ': ' || h.transactions || ' transactions behind, '
			|| coalesce('since ' || to_char(h.since, 'YYYY-MM-DD HH24:MI'), 'for longer than is known') || ', keeps '
			|| CASE h.holds WHEN 'catalogs' THEN 'rows of catalogs' ELSE h.dead_rows || ' dead rows of ours, ' || pg_size_pretty(h.dead_bytes) END AS words
		FROM holder h)
	SELECT 'horizon', k.check_name, coalesce(bool_or(s.is_late), false) IS FALSE,
		coalesce(max(s.words) FILTER (WHERE s.place = 1), 'none') || CASE WHEN count(s.kind) > 1 THEN '; and ' || count(s.kind) - 1 || ' more' ELSE '' END,
		'none that is 1 hour or 10000000 transactions old, or keeps 100000 dead rows',
		k.hint || ' Until then nothing that was deleted since is removed: tables and indexes grow, and reads walk over it. See pg_stat_paws_sync_horizon.'
	FROM (VALUES
		('session', 'sessions', 'Let it commit, or end it with pg_terminate_backend; idle_in_transaction_session_timeout ends idle ones by itself, and a long dump or report is better taken from a standby.'),
		('prepared transaction', 'prepared transactions', 'Nobody comes back for it by itself: find it in pg_prepared_xacts, and COMMIT or ROLLBACK PREPARED it.'),
		('replication slot', 'replication slots', 'Bring back who reads the slot, or let go of it with pg_drop_replication_slot.'),
		('standby', 'standbys', 'A query on that standby is that old: end it there, or set hot_standby_feedback to off there and let max_standby_streaming_delay decide.')
	) AS k (kind, check_name, hint)
	LEFT JOIN said s ON s.kind = k.kind
	GROUP BY k.check_name, k.hint
	$$;
REVOKE ALL ON FUNCTION paws_sync.doctor_horizon() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.doctor_horizon() IS
	'Behind doctor: what pins the xmin horizon.';
