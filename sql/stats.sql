-- What the engine measures of itself.
SELECT paws_sync.register_device(paws_sync.subject_for('stats'), 'ios') AS phone \gset
SELECT paws_sync.stat_reset();
SELECT class, tier, count, p50, p95, p99, p999, max, target, attainment, since <= now() AS since
FROM paws_sync.pg_stat_paws_sync_latency ORDER BY class, tier;

-- each applied operation is counted once, by class and tier; what was rejected or asked twice is not
SELECT outcome, count(*) FROM paws_sync.push(:'phone',
	(SELECT jsonb_agg(t.op(n, 'mood', n, 0, 'a')) FROM generate_series(1, 20) AS n)) GROUP BY 1;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(31, 'safety_plan', 31, 0, 'a'), t.op(32, 'nothing', 32, 0, 'a')));
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(31, 'safety_plan', 31, 0, 'a')));
BEGIN;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(33, 'safety_plan', 33, 0, 'a')));
ROLLBACK;
CALL t.wait_applied();
CALL t.wait('(SELECT sum(count) >= 21 FROM paws_sync.pg_stat_paws_sync_latency)');
SELECT class, tier, count, p50 > 0 AND p50 <= p95 AND p95 <= p99 AND p99 <= p999 AND max > 0 AS sane, target,
	attainment BETWEEN 0 AND 1 AS attainment
FROM paws_sync.pg_stat_paws_sync_latency WHERE count > 0;

-- lanes: the depth of each level returns to 0
SELECT lane, level, level_number FROM paws_sync.pg_stat_paws_sync_lanes;
CALL t.wait('(SELECT bool_and(depth = 0 AND oldest_age IS NULL) FROM paws_sync.pg_stat_paws_sync_lanes)');
SELECT sum(depth) AS depth, bool_and(in_rate >= 0 AND out_rate >= 0) AS rates FROM paws_sync.pg_stat_paws_sync_lanes;

-- workers
SELECT kind, count(*) = CASE kind WHEN 'pool' THEN current_setting('paws_sync.pool_size')::integer ELSE 1 END AS wanted,
	bool_and(pid IS NOT NULL) AS running, bool_and(state IN ('idle', 'working')) AS state, sum(batches) > 0 AS batches,
	sum(operations) >= CASE kind WHEN 'pool' THEN 20 ELSE 0 END AS operations,
	bool_and(started_at <= last_active_at) AS active
FROM paws_sync.pg_stat_paws_sync_workers WHERE database = current_database()
GROUP BY kind ORDER BY kind;

SELECT count(*) AS launchers FROM paws_sync.pg_stat_paws_sync_workers WHERE database IS NULL AND kind = 'launcher';

-- processes that hold keys: this one at the latest since it registered a device
SELECT memory IN ('locked', 'unlocked') AS holds, bytes > 0 AS bytes, kind FROM paws_sync.pg_stat_paws_sync_memory
WHERE pid = pg_backend_pid();
SELECT memory, bytes FROM paws_sync.pg_stat_paws_sync_memory WHERE kind = 'checkpointer';
SELECT count(*) AS postmasters FROM paws_sync.pg_stat_paws_sync_memory WHERE kind = 'postmaster' AND memory <> 'none';
SELECT count(*) = count(DISTINCT pid) AS once, bool_and((memory = 'none') = (bytes = 0)) AS bytes
FROM paws_sync.pg_stat_paws_sync_memory;
SELECT m.kind, bool_or(m.memory <> 'none') AS holds
FROM paws_sync.pg_stat_paws_sync_memory m JOIN paws_sync.pg_stat_paws_sync_workers w USING (pid)
WHERE w.kind = 'pool' AND w.database = current_database() GROUP BY m.kind;

SELECT component, state FROM paws_sync.status() WHERE component <> 'crisis lane';
