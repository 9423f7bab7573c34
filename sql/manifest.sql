-- What is stored, and how fine: the manifest beside the catalogs, and what pushes of each tier leave behind beside
-- the manifest. Each query with "must be none" shows what breaks its rule.
\set SHOW_CONTEXT never
CREATE TEMP VIEW stored AS
	SELECT r.oid, r.oid::regclass::text AS relation, a.attname::text AS column_name, a.atttypid AS type
	FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_class r ON r.oid = d.objid
	JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'paws_sync'
		AND d.classid = 'pg_class'::regclass AND r.relkind IN ('r', 'p', 'm', 'f');

-- every column has an entry and every entry a column; must be none
SELECT relation, column_name FROM stored EXCEPT SELECT relation, column_name FROM paws_sync.manifest();
SELECT relation, column_name FROM paws_sync.manifest() EXCEPT SELECT relation, column_name FROM stored;
SELECT count(DISTINCT (relation, column_name)) > 100 AS columns FROM paws_sync.manifest();

-- one row for all tiers, or one for each; must be none
SELECT relation, column_name, array_agg(tier) FROM paws_sync.manifest() GROUP BY 1, 2
HAVING array_agg(tier ORDER BY tier) NOT IN ('{NULL}', enum_range(NULL::paws_sync.tier));

-- what a column is said to hold fits its type
SELECT m.kind, array_agg(DISTINCT format_type(s.type, NULL)) AS types FROM stored s JOIN paws_sync.manifest() m USING (relation, column_name)
GROUP BY m.kind ORDER BY m.kind COLLATE "C";

-- times have a resolution, and nothing else has one; must be none
SELECT relation, column_name, tier, kind FROM paws_sync.manifest() JOIN stored USING (relation, column_name)
WHERE (kind = 'time') <> (type = 'timestamptz'::regtype) OR (kind = 'time') <> (resolution IS NOT NULL)
	OR resolution < '1 microsecond' OR (kind = 'envelope') <> (max_payload IS NOT NULL);
SELECT column_name, resolution, string_agg(relation || coalesce(' ' || tier, ''), ', ' ORDER BY relation COLLATE "C", tier) AS of
FROM paws_sync.manifest() WHERE kind = 'time' GROUP BY column_name, resolution ORDER BY column_name COLLATE "C", resolution;

-- the times of a row agree, so that the finer one does not tell what the coarser one hides; so do those of the tables
-- that one change writes; must be none
SELECT relation, tier, array_agg(DISTINCT resolution) FROM paws_sync.manifest() WHERE kind = 'time'
GROUP BY 1, 2 HAVING count(DISTINCT resolution) > 1;
SELECT split_part(relation, '.', 1), tier, array_agg(DISTINCT resolution) FROM paws_sync.manifest()
WHERE kind = 'time' AND split_part(relation, '.', 2) IN ('document', 'branch', 'feed') GROUP BY 1, 2 HAVING count(DISTINCT resolution) > 1;

-- a tier changes nothing in the crisis lane, and nothing about how things are sealed; must be none
SELECT relation, column_name, tier FROM paws_sync.manifest()
WHERE tier IS NOT NULL AND (relation ~ '^paws_crisis\.' OR kind IN ('key', 'digest', 'token'));

-- retention and exports
SELECT retention, tier, retained, count(*) > 0 AS columns FROM paws_sync.manifest() WHERE kind <> 'time' AND kind <> 'envelope'
GROUP BY retention, tier, retained ORDER BY retention COLLATE "C", tier;
SELECT relation, column_name, tier, max_payload FROM paws_sync.manifest() WHERE kind = 'envelope' ORDER BY relation COLLATE "C", tier;
SELECT kind, bool_or(exported) AS some, bool_and(exported) AS "all" FROM paws_sync.manifest() GROUP BY kind ORDER BY kind COLLATE "C";
-- it follows what operators set
BEGIN;
SELECT paws_sync.set_tier_policy('basic', offline_hours => 100, max_payload => 1000);
SELECT DISTINCT retained, max_payload FROM paws_sync.manifest()
WHERE relation = 'paws_care.feed' AND tier = 'basic' OR relation = 'paws_queue.operation' AND tier = 'basic' ORDER BY 1;
ROLLBACK;

-- What each tier leaves behind: a document changed three times and a branch, in both lanes, and an acknowledgement.
SELECT paws_sync.define_collection('manifest_safety', 'safety', 'branch');
CREATE TEMP TABLE person AS
	SELECT tier, paws_sync.subject_for('manifest ' || tier) AS subject, clock_timestamp() AS before
	FROM unnest(enum_range(NULL::paws_sync.tier)) AS tier;
SELECT tier, paws_sync.set_entitlement(subject, tier, clock_timestamp() + '40 days') FROM person ORDER BY tier;
ALTER TABLE person ADD phone paws_sync.device, ADD browser paws_sync.device;
UPDATE person SET phone = paws_sync.register_device(subject, 'ios'), browser = paws_sync.register_device(subject, 'web');
CREATE PROCEDURE pg_temp.push(n integer, collection text, doc integer, base bigint, payload text DEFAULT NULL) LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM paws_sync.push(phone, t.ops(t.op(n, collection, doc, base, payload))) FROM person;
	COMMIT;
	CALL t.wait_applied();
END
$$;
CALL pg_temp.push(1, 'plan', 1, 0, 'one');
CALL pg_temp.push(2, 'plan', 1, 1, 'two');
CALL pg_temp.push(3, 'plan', 1, 0, 'beside it');
CALL pg_temp.push(4, 'plan', 2, 0, 'other');
CALL pg_temp.push(5, 'plan', 2, 1);
CALL pg_temp.push(6, 'manifest_safety', 3, 0, 'one');
CALL pg_temp.push(7, 'manifest_safety', 3, 1, 'two');
CALL pg_temp.push(8, 'manifest_safety', 3, 0, 'beside it');
DO $$
BEGIN
	PERFORM paws_sync.ack(p.browser, (SELECT (array_agg(c."cursor"))[count(*)] FROM paws_sync.pull(p.browser) c)) FROM person p;
	PERFORM paws_sync.revoke_device(paws_sync.register_device(subject, 'wearable')) FROM person;
END
$$;

-- All their times, column by column: as many as there are, and the two ends between which each must lie.
CREATE FUNCTION pg_temp.times() RETURNS TABLE (tier paws_sync.tier, relation text, column_name text, resolution interval,
	found bigint, fine bigint, early bigint, late bigint) LANGUAGE plpgsql AS
$$
#variable_conflict use_column
DECLARE
	entry record;
	after timestamptz := clock_timestamp();
BEGIN
	FOR entry IN
		SELECT m.relation, m.column_name, p.tier, m.resolution, k.key, p.before, s.subject_no, s.device_nos
		FROM paws_sync.manifest() m
		JOIN LATERAL (SELECT min(column_name) AS key FROM stored WHERE stored.relation = m.relation
			AND stored.column_name IN ('subject_no', 'device_no')
			AND NOT (stored.relation ~ 'feed|operation|device$' AND stored.column_name = 'device_no')) k ON k.key IS NOT NULL
		JOIN person p ON m.tier IS NULL OR m.tier = p.tier
		JOIN (SELECT r.subject, r.subject_no, array_agg(d.device_no) AS device_nos FROM paws_registry.subject r
			JOIN paws_registry.device d USING (subject_no) GROUP BY 1, 2) s ON s.subject OPERATOR(paws_sync.=) p.subject
		WHERE m.kind = 'time' AND m.column_name <> 'until'
	LOOP
		RETURN QUERY EXECUTE format('SELECT $1, $2, $3, $4, count(%1$I), count(*) FILTER (WHERE date_bin($4, %1$I, ''2000-01-01Z'') <> %1$I), '
			'count(*) FILTER (WHERE %1$I < date_bin($4, $5, ''2000-01-01Z'')), count(*) FILTER (WHERE %1$I > date_bin($4, $6, ''2000-01-01Z'')) '
			'FROM %2$s WHERE %3$I = ANY ($7)', entry.column_name, entry.relation, entry.key)
		USING entry.tier, entry.relation, entry.column_name, entry.resolution, entry.before, after,
			CASE entry.key WHEN 'device_no' THEN entry.device_nos ELSE ARRAY[entry.subject_no] END;
	END LOOP;
END
$$;
CREATE TEMP TABLE times AS SELECT * FROM pg_temp.times();
-- none is finer, earlier or later than it may be; must be none
SELECT * FROM times WHERE fine + early + late > 0;
-- there are some, in each tier
SELECT relation, column_name, array_agg(found ORDER BY tier) AS found FROM times
GROUP BY relation, column_name ORDER BY relation COLLATE "C", column_name COLLATE "C";
-- one change has one time, wherever it is told; must be none
SELECT p.tier FROM person p JOIN paws_registry.subject s ON s.subject OPERATOR(paws_sync.=) p.subject
JOIN paws_care.feed f USING (subject_no) LEFT JOIN paws_care.document d USING (subject_no, position)
LEFT JOIN paws_care.branch b USING (subject_no, position) WHERE f.finished_at <> d.changed_at OR f.finished_at <> b.kept_at;
SELECT p.tier FROM person p, LATERAL paws_sync.receipts(p.phone, ARRAY[t.id(1), t.id(2)]) r
JOIN paws_sync.manifest() m ON m.relation = 'paws_care.feed' AND m.column_name = 'finished_at'
WHERE m.tier = p.tier AND date_bin(m.resolution, r.finished_at, '2000-01-01Z') <> r.finished_at;

-- the tier is that of the push, whatever it is when the change is applied
SELECT phone AS trial_phone, subject AS trial FROM person WHERE tier = 'trial' \gset
SELECT phone AS premium_phone, subject AS premium FROM person WHERE tier = 'premium' \gset
SELECT clock_timestamp() AS before \gset
BEGIN;
SELECT outcome FROM paws_sync.push(:'trial_phone', t.ops(t.op(21, 'mood', 21, 0, 'x')));
SELECT paws_sync.set_entitlement(:'trial', 'premium');
SELECT outcome FROM paws_sync.push(:'premium_phone', t.ops(t.op(21, 'mood', 21, 0, 'x')));
SELECT paws_sync.set_entitlement(:'premium', 'trial');
COMMIT;
CALL t.wait_applied();
SELECT finished_at = date_bin('1 hour', finished_at, '2000-01-01Z') AS by_trial FROM paws_sync.receipts(:'trial_phone', ARRAY[t.id(21)]);
SELECT finished_at = date_bin('1 minute', finished_at, '2000-01-01Z') AND finished_at >= date_bin('1 minute', :'before', '2000-01-01Z') AS by_premium
FROM paws_sync.receipts(:'premium_phone', ARRAY[t.id(21)]);
SELECT paws_sync.set_entitlement(:'trial', 'trial', (SELECT before FROM person WHERE tier = 'trial') + '40 days'::interval),
	paws_sync.set_entitlement(:'premium', 'premium');

-- an end to come is rounded up, so that nobody loses of it; what has ended has ended
CREATE TEMP VIEW until AS
	SELECT e.until FROM paws_care.entitlement e JOIN paws_registry.subject s USING (subject_no)
	WHERE s.subject OPERATOR(paws_sync.=) paws_sync.subject_for('manifest trial');
SELECT until >= before + '40 days' AND until <= clock_timestamp() + '40 days 1 hour' AS later,
	until = date_bin('1 hour', until, '2000-01-01Z') AS whole FROM until, person WHERE tier = 'trial';
SELECT paws_sync.set_entitlement(paws_sync.subject_for('manifest trial'), 'premium', '2099-01-01 00:00:00Z');
SELECT until = '2099-01-01 00:00:00Z' AS kept FROM until;
SELECT paws_sync.set_entitlement(paws_sync.subject_for('manifest trial'), 'premium', '2099-01-01 00:00:00.000001Z');
SELECT until = '2099-01-01 01:00:00Z' AS up FROM until;
SELECT paws_sync.set_entitlement(paws_sync.subject_for('manifest trial'), 'premium', clock_timestamp() - '1 second'::interval);
SELECT until < clock_timestamp() AS past FROM until;
SELECT paws_sync.set_entitlement(paws_sync.subject_for('manifest trial'), 'premium', v.until) FROM (VALUES ('-infinity'::timestamptz)) v (until);
SELECT until FROM until;
SELECT paws_sync.set_entitlement(paws_sync.subject_for('manifest trial'), 'premium', '4713-01-01 00:30:00Z BC');
SELECT until = '4713-01-01 00:00:00Z BC' AS down FROM until;
SELECT paws_sync.set_entitlement(paws_sync.subject_for('manifest trial'), 'premium', '294276-12-31 23:59:59Z');
SELECT until FROM until;
