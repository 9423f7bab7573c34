-- The examples of README.md, as they stand there, chapter by chapter. What they return is shown where it is
-- the same on every machine, and goes to a file where it is not. What failed would be seen in either case.

-- Quick start
SELECT paws_sync.define_collection('mood', 'interactive');
SELECT paws_sync.subject_for('user-4711') AS subject \gset
SELECT paws_sync.set_entitlement(:'subject', 'premium');
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS tablet \gset
SELECT op_id, outcome, level, code FROM paws_sync.push(:'phone', '[{
    "op_id": "018f2b6e-0000-7000-8000-000000000001", "doc_id": "018f2b6e-0000-7000-8000-00000000000a",
    "collection": "mood", "base_revision": 0, "payload": "eyJtb29kIjogN30="}]');
\o results/readme.txt
SELECT kind, collection, doc_id, revision, convert_from(payload, 'UTF8') AS payload FROM paws_sync.pull_wait(:'tablet');
SELECT op_id, outcome, revision FROM paws_sync.receipts(:'phone', '{018f2b6e-0000-7000-8000-000000000001}');
SELECT class, tier, count, p50, p99, target, attainment FROM paws_sync.pg_stat_paws_sync_latency WHERE count > 0;
SELECT * FROM paws_sync.status();
\o
CALL t.wait_applied();
SELECT kind, collection, doc_id, revision, convert_from(payload, 'UTF8') AS payload FROM paws_sync.pull(:'tablet');
SELECT op_id, outcome, revision FROM paws_sync.receipts(:'phone', '{018f2b6e-0000-7000-8000-000000000001}');

-- Setting up collections and people
SELECT paws_sync.define_collection('mood_log', 'interactive', 'append');
SELECT paws_sync.define_collection('care_plan', 'standard', 'branch');
SELECT paws_sync.define_collection('preferences', 'background', 'server_order');
SELECT paws_sync.define_collection('safety_plan', 'safety');
SELECT name, class, on_conflict FROM paws_sync.collections ORDER BY name;

-- What a device does
SELECT cursor FROM paws_sync.pull(:'tablet', max_changes => 1) \gset
SELECT lane, kind, collection, doc_id, revision, deleted FROM paws_sync.pull(:'tablet', :'cursor', max_changes => 100);
SELECT paws_sync.ack(:'tablet', :'cursor');
SELECT platform, acknowledged_at IS NOT NULL AS acknowledged, behind FROM paws_sync.sync_status(:'subject');

-- Pushing
SELECT item, outcome, level, code, receipt FROM paws_sync.push(:'phone', '[
    {"op_id": "018f2b6e-0000-7000-8000-000000000002", "doc_id": "018f2b6e-0000-7000-8000-00000000000b",
     "collection": "safety_plan", "base_revision": 0, "payload": "eyJzdGVwcyI6IDZ9"},
    {"op_id": "018f2b6e-0000-7000-8000-000000000003", "doc_id": "018f2b6e-0000-7000-8000-00000000000a",
     "collection": "mood", "base_revision": 1, "deleted": true},
    {"op_id": "018f2b6e-0000-7000-8000-000000000004", "doc_id": "018f2b6e-0000-7000-8000-00000000000c",
     "collection": "no_such_thing", "base_revision": 0, "payload": ""}]');
SELECT item, outcome, code FROM paws_sync.push_many(:'phone',
    op_ids => '{018f2b6e-0000-7000-8000-000000000005,018f2b6e-0000-7000-8000-000000000006}',
    collections => '{preferences,preferences}',
    doc_ids => '{018f2b6e-0000-7000-8000-00000000000d,018f2b6e-0000-7000-8000-00000000000e}',
    base_revisions => '{0,0}', payloads => '{"\\x7b7d","\\x7b7d"}');
CALL t.wait_applied();
SELECT op_id, outcome, revision, code
FROM paws_sync.receipts(:'phone', ARRAY(SELECT ('018f2b6e-0000-7000-8000-00000000000' || n)::uuid FROM generate_series(1, 6) AS n));

-- In a crisis
SELECT outcome, level, code, receipt FROM paws_sync.push_crisis(:'phone', '[
    {"op_id": "018f2b6e-0000-7000-8000-000000000007", "doc_id": "018f2b6e-0000-7000-8000-00000000000b",
     "collection": "safety_plan", "base_revision": 1, "payload": "eyJzdGVwcyI6IDd9"},
    {"op_id": "018f2b6e-0000-7000-8000-000000000008", "doc_id": "018f2b6e-0000-7000-8000-00000000000f",
     "collection": "mood", "base_revision": 0, "payload": "e30="}]');
SELECT kind, collection, revision FROM paws_sync.pull_crisis(:'tablet');
SELECT region, name, channel, contact, priority FROM paws_sync.crisis_bundle(:'tablet', 'de') WHERE kind = 'resource';
SELECT collection, revision, convert_from(payload, 'UTF8') AS payload FROM paws_sync.crisis_bundle(:'tablet', 'de') WHERE kind = 'document';
SELECT region, name, channel, contact, shipped, shown FROM paws_sync.resources WHERE region IN ('gb', 'ie') ORDER BY 1, 2, 3;
SELECT paws_sync.set_resource('us_ny', 'city_line', 'call', '18005550100');
SELECT paws_sync.drop_resource('ie', 'samaritans', 'call');
DELETE FROM paws_crisis.resource;

-- When a subscription changes
SELECT paws_sync.set_entitlement(:'subject', 'grace_period', until => now() + interval '14 days');
SELECT paws_sync.set_entitlement(:'subject', 'basic');

-- Limits
SELECT paws_sync.set_policy('bulk', 'trial', ops_per_second => 1, ops_burst => 50);     -- the other limits as the tier has them
SELECT class, own_limits, ops_per_second, ops_burst, bytes_per_second FROM paws_sync.policy WHERE tier = 'trial' ORDER BY class;
SELECT paws_sync.set_policy('bulk', 'trial', own_limits => false);
DELETE FROM paws_queue.policy WHERE NOT shipped;
\o results/readme.txt
SELECT class, tier, admitted, limited, bytes_in, bytes_out, pages_cut FROM paws_sync.pg_stat_paws_sync_admission WHERE limited + pages_cut > 0;
SELECT resource, unit, capacity, reserved, held, lent, used_by_crisis, used_by_ordinary, held_back FROM paws_sync.pg_stat_paws_sync_reserve;
\o

-- SQL reference
SELECT paws_sync.set_policy('standard', 'basic', 'standard_raised', 2000);
SELECT paws_sync.set_tier_policy('basic', ops_per_second => 20, max_devices => 6);
SELECT class, tier, level, target FROM paws_sync.policy WHERE NOT shipped;
DELETE FROM paws_queue.policy WHERE NOT shipped;
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;

-- Roles and grants: undone at the end, and roles of these names that are here already step aside so long
BEGIN;
DO $$
DECLARE
	role text;
BEGIN
	FOR role IN SELECT rolname FROM pg_roles WHERE rolname IN ('paws_app', 'paws_billing', 'paws_operator') LOOP
		EXECUTE format('ALTER ROLE %I RENAME TO %I', role, 'regress_' || role);
	END LOOP;
END $$;
CREATE ROLE paws_app;
CREATE ROLE paws_billing;
CREATE ROLE paws_operator;
SELECT paws_sync.grant_profile('paws_app', 'app');
SELECT paws_sync.grant_profile('paws_billing', 'billing');
SELECT paws_sync.grant_profile('paws_operator', 'operator');
\o results/readme.txt
SELECT profile, count(*) AS grants FROM paws_sync.profiles GROUP BY profile ORDER BY profile;
SELECT kind, split_part(object, '(', 1) AS object, max('x') FILTER (WHERE profile = 'app') AS app,
    max('x') FILTER (WHERE profile = 'device_gateway') AS device_gateway, max('x') FILTER (WHERE profile = 'crisis') AS crisis,
    max('x') FILTER (WHERE profile = 'billing') AS billing, max('x') FILTER (WHERE profile = 'operator') AS operator,
    max('x') FILTER (WHERE profile = 'auditor') AS auditor
FROM paws_sync.profiles GROUP BY 1, 2 ORDER BY 1, 2;
SELECT r.rolname AS role, string_agg(p.profile, ', ' ORDER BY p.profile) AS profiles
FROM pg_roles r, (SELECT DISTINCT profile FROM paws_sync.profiles) AS p
WHERE NOT r.rolsuper AND NOT EXISTS (SELECT FROM paws_sync.profiles l WHERE l.profile = p.profile AND NOT CASE l.kind
    WHEN 'schema' THEN has_schema_privilege(r.oid, l.object, l.privilege)
    WHEN 'type' THEN has_type_privilege(r.oid, l.object, l.privilege)
    WHEN 'function' THEN has_function_privilege(r.oid, l.object, l.privilege)
    ELSE has_table_privilege(r.oid, l.object, l.privilege) END)
GROUP BY r.rolname ORDER BY 1;
\o

-- each can do what it is for, and no more
GRANT USAGE ON SCHEMA t TO paws_app;
SET ROLE paws_app;
SELECT paws_sync.register_device(paws_sync.subject_for('user-4712'), 'ios') AS app_phone \gset
SELECT outcome, level FROM paws_sync.push(:'app_phone', t.ops(t.op(1, 'mood', 1, 0, 'calm'), t.op(2, 'safety_plan', 2, 0, 'call Sam')));
SELECT lane, kind FROM paws_sync.pull(:'app_phone');
SELECT (array_agg(cursor))[count(*)] AS cursor FROM paws_sync.pull_wait(:'app_phone') \gset
SELECT paws_sync.ack(:'app_phone', :'cursor');
SELECT count(*) FROM paws_sync.receipts(:'app_phone', ARRAY[t.id(1), t.id(2)]);
SELECT count(*) FROM paws_sync.devices(paws_sync.subject_for('user-4712'));
SELECT platform, behind FROM paws_sync.sync_status(paws_sync.subject_for('user-4712'));
SELECT paws_sync.revoke_device(:'app_phone');
SELECT has_function_privilege('paws_sync.set_entitlement(paws_sync.subject, paws_sync.tier, timestamptz)', 'EXECUTE') AS tiers,
	count(*) AS tables
FROM pg_class WHERE relkind IN ('r', 'S') AND relnamespace::regnamespace::text ~ '^paws_'
	AND has_table_privilege(oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE');
SET ROLE paws_billing;
SELECT paws_sync.set_entitlement(:'subject', 'premium');
SELECT has_function_privilege('paws_sync.push(paws_sync.device, jsonb)', 'EXECUTE') AS push;
SET ROLE paws_operator;
SELECT paws_sync.define_collection('letters', 'standard');
SELECT paws_sync.set_policy('standard', 'basic', 'standard_raised', 2000);
SELECT paws_sync.set_tier_policy('basic', max_devices => 6);
SELECT has_function_privilege('paws_sync.push(paws_sync.device, jsonb)', 'EXECUTE') AS push;
SELECT count(*) > 0 AS seen FROM paws_sync.status();
SELECT count(*) AS latencies FROM paws_sync.pg_stat_paws_sync_latency;
SELECT count(*) AS levels FROM paws_sync.pg_stat_paws_sync_lanes;
SELECT count(*) > 0 AS workers FROM paws_sync.pg_stat_paws_sync_workers;
SELECT count(*) AS policies FROM paws_sync.policy;
SELECT count(*) AS tiers FROM paws_sync.tier_policy;
SELECT count(*) > 0 AS collections FROM paws_sync.collections;
RESET ROLE;
ROLLBACK;

-- What to watch
\o results/readme.txt
SELECT area, check_name, value, wanted, hint FROM paws_sync.doctor() WHERE NOT ok;
SELECT relation, column_name, tier, resolution FROM paws_sync.manifest() WHERE kind = 'time' ORDER BY 1, 2, 3;
SELECT component, state, detail FROM paws_sync.status();
SELECT class, tier, count, p99, target, attainment FROM paws_sync.pg_stat_paws_sync_latency WHERE attainment < 0.99;
SELECT level, depth, oldest_age, in_rate, out_rate FROM paws_sync.pg_stat_paws_sync_lanes WHERE depth > 0;
SELECT kind, state, operations, errors, last_active_at FROM paws_sync.pg_stat_paws_sync_workers ORDER BY kind;
\o

-- Audit rows of the crisis lane
SELECT rows > 0 AS rows, keyed = rows AS keyed, late, unkeyed, wrong, doubled, missing FROM paws_sync.verify_crisis_audit();

-- Rotating keys
SELECT paws_sync.rotate_keys() AS job \gset
CALL t.wait('NOT EXISTS (SELECT FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE finished_at IS NULL)');
SELECT kind, phase, done = total AS all_done, left_over FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = :job;
\o results/readme.txt
SELECT kind, root, number, state, keys FROM paws_sync.key_status();
\o
SELECT DISTINCT state FROM paws_sync.key_status() ORDER BY state;

-- Forgetting a person
SELECT state, keys >= 2 AS keys, logical_at IS NOT NULL AS logical, certificate IS NOT NULL AS certified FROM paws_sync.forget(paws_sync.subject_for('user-4711'));
SELECT state = 'deleted' OR state = 'swept' AS gone, destroyed_at, irrecoverable_at, certificate FROM paws_sync.erasure_status(paws_sync.subject_for('user-4711'));
SELECT kind FROM paws_sync.pull(:'phone');
SELECT length(paws_sync.certificate_key()), paws_sync.verify_certificate('paws_sync erasure certificate v1');
-- somebody who comes back is a new one
SELECT paws_sync.register_device(paws_sync.subject_for('user-4711'), 'ios') AS again \gset
SELECT count(*) AS documents FROM paws_sync.pull(:'again');
SELECT outcome, receipt FROM paws_sync.push_crisis(:'again', t.ops(t.op(1, 'safety_plan', 2, 0, 'call Sam')));
SELECT kind, revision FROM paws_sync.pull_crisis(:'tablet');

-- Work for your own workers
SELECT paws_sync.define_topic('reminders', max_attempts => 5, lease => '1 minute');
SELECT job, outcome FROM paws_sync.submit('reminders', 'bring the diary', subject => :'subject', key => 'visit-17') \gset
SELECT :'outcome' AS outcome;
SELECT job, fence, convert_from(payload, 'UTF8') AS payload FROM paws_sync.claim('{reminders}') \gset
SELECT :'payload' AS payload;
SELECT paws_sync.complete(:job, :fence);
SELECT job, reason, attempts, dead_at FROM paws_sync.dead_letters('reminders');
SELECT paws_sync.redrive('reminders');
