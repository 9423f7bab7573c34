-- The matrix of levels and targets, and the limits of tiers.
\set SHOW_CONTEXT never
SELECT class, tier, level, level_number, target, shipped FROM paws_sync.policy ORDER BY class, tier DESC;
SELECT * FROM paws_sync.tier_policy ORDER BY tier DESC;

-- a change is in force for the next push
SELECT paws_sync.register_device(paws_sync.subject_for('policy'), 'ios') AS phone \gset
SELECT level FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'a')));
SELECT paws_sync.set_policy('interactive', 'trial', 'bulk', 1234);
SELECT * FROM paws_sync.policy WHERE class = 'interactive' AND tier = 'trial';
SELECT level FROM paws_sync.push(:'phone', t.ops(t.op(2, 'mood', 2, 0, 'a')));
SELECT paws_sync.set_policy('interactive', 'trial', '5', 4321);
SELECT * FROM paws_sync.policy WHERE class = 'interactive' AND tier = 'trial';
SELECT level FROM paws_sync.push(:'phone', t.ops(t.op(3, 'mood', 3, 0, 'a')));

-- one that is rolled back is not
BEGIN;
SELECT paws_sync.set_policy('interactive', 'trial', '1', 1);
SELECT level FROM paws_sync.push(:'phone', t.ops(t.op(4, 'mood', 4, 0, 'a')));
ROLLBACK;
SELECT level FROM paws_sync.push(:'phone', t.ops(t.op(5, 'mood', 5, 0, 'a')));

-- what is shipped stays beneath, and is back when the operator's row goes
SELECT level, target_ms, shipped FROM paws_queue.policy WHERE class = 5 AND tier = 1 ORDER BY shipped;
DELETE FROM paws_queue.policy WHERE NOT shipped;
SELECT level FROM paws_sync.push(:'phone', t.ops(t.op(6, 'mood', 6, 0, 'a')));

-- nobody changes it, not even the owner
UPDATE paws_queue.policy SET target_ms = 1 WHERE shipped;
DELETE FROM paws_queue.policy WHERE shipped;
INSERT INTO paws_queue.policy VALUES (5, 1, 3, 5000, true);
UPDATE paws_queue.tier_policy SET max_devices = 0;
DELETE FROM paws_queue.tier_policy;
SET session_replication_role = replica;
UPDATE paws_queue.policy SET target_ms = 1 WHERE class = 1;
RESET session_replication_role;

-- crisis has no policy but what is shipped
SELECT paws_sync.set_policy('emergency', 'trial', '10', 100);
SELECT paws_sync.set_policy('safety', 'premium', '8', 100);
INSERT INTO paws_queue.policy VALUES (2, 1, 9, 5000, false);
SELECT paws_sync.set_policy('interactive', 'trial', '9', 100);

-- grace is never served worse than premium
SELECT paws_sync.set_policy('interactive', 'grace_period', '5', 500);
SELECT paws_sync.set_policy('interactive', 'grace_period', '7', 501);
SELECT paws_sync.set_policy('interactive', 'premium', '8', 500);
SELECT paws_sync.set_policy('interactive', 'premium', '6', 100);
UPDATE paws_queue.policy SET level = 1 WHERE tier = 4 AND NOT shipped;
SELECT paws_sync.set_policy('interactive', 'grace_period', '8', 100);
SELECT paws_sync.set_policy('interactive', 'premium', '8', 100);
SELECT tier, level, target FROM paws_sync.policy WHERE class = 'interactive' ORDER BY tier;
DELETE FROM paws_queue.policy WHERE NOT shipped;

-- bounds
SELECT paws_sync.set_policy('standard', 'trial', '3', 0);
SELECT paws_sync.set_policy('standard', 'trial', '3', 86400001);
SELECT paws_sync.set_policy('standard', 'trial', '3', -1);
SELECT paws_sync.set_policy('standard', 'trial', '3', 86400000);
SELECT paws_sync.set_policy('standard', NULL, '3', 1000);
DELETE FROM paws_queue.policy WHERE NOT shipped;

-- limits of a tier: what is not given stays
SELECT paws_sync.set_tier_policy('basic', max_payload => 1000);
SELECT paws_sync.set_tier_policy('basic', max_devices => 1, offline_hours => 100);
SELECT * FROM paws_sync.tier_policy WHERE tier = 'basic';
SELECT paws_sync.set_entitlement(paws_sync.subject_for('policy'), 'basic');
SELECT outcome, code FROM paws_sync.push(:'phone', t.ops(
	t.op(11, 'mood', 11, 0, repeat('x', 1000)), t.op(12, 'mood', 12, 0, repeat('x', 1001))));
SELECT paws_sync.register_device(paws_sync.subject_for('policy'), 'web') IS NOT NULL AS registered;
SELECT platform, crisis_only FROM paws_sync.devices(paws_sync.subject_for('policy'));
SELECT paws_sync.set_tier_policy('basic', max_payload => -1);
SELECT paws_sync.set_tier_policy('basic', max_payload => 67108865);
SELECT paws_sync.set_tier_policy('basic', offline_hours => 0);
SELECT paws_sync.set_tier_policy(NULL);
SELECT paws_sync.set_tier_policy('basic');
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;
SELECT bool_and(shipped) AS shipped FROM paws_sync.tier_policy;
CALL t.wait_applied();

-- Limits of a class: all six from one on, what is not given as it was in force
SELECT paws_sync.set_policy('session', 'basic', ops_burst => 7);
SELECT level, target, shipped, own_limits, ops_per_second, ops_burst, bytes_per_second, bytes_burst, pull_bytes_per_second, pull_bytes_burst
FROM paws_sync.policy WHERE class = 'session' AND tier = 'basic';
SELECT paws_sync.set_policy('session', 'basic', 'standard', 2500);
SELECT level, target, own_limits, ops_burst FROM paws_sync.policy WHERE class = 'session' AND tier = 'basic';
SELECT paws_sync.set_policy('session', 'basic', own_limits => true, pull_bytes_burst => 5);
SELECT paws_sync.set_policy('session', 'basic', own_limits => NULL);
SELECT level, target, own_limits, ops_burst, pull_bytes_burst FROM paws_sync.policy WHERE class = 'session' AND tier = 'basic';
SELECT paws_sync.set_policy('session', 'basic', own_limits => false);
SELECT level, target, own_limits, ops_burst FROM paws_sync.policy WHERE class = 'session' AND tier = 'basic';
-- every class of crisis has none
SELECT class, count(*), count(own_limits) AS own_limits, count(ops_per_second) AS limits FROM paws_sync.policy WHERE class IN ('emergency', 'safety') GROUP BY 1 ORDER BY 1;
SELECT paws_sync.set_policy('emergency', 'trial', own_limits => true);
-- senseless ones
SELECT paws_sync.set_policy('session', 'basic', ops_per_second => -1);
SELECT paws_sync.set_policy('session', 'basic', bytes_burst => 0);
SELECT paws_sync.set_policy('session', 'basic', ops_per_second => 0, ops_burst => 0);
SELECT paws_sync.set_policy('session', 'basic', ops_per_second => 1);
SELECT paws_sync.set_policy('session', 'basic', own_limits => false, ops_per_second => 1);
SELECT paws_sync.set_tier_policy('basic', ops_burst => 0);
SELECT paws_sync.set_tier_policy('basic', pull_bytes_burst => 0);
SELECT paws_sync.set_tier_policy('basic', bytes_per_second => 9223372036854775807, bytes_burst => 9223372036854775807, pull_bytes_burst => 9223372036854775807);
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(21, 'mood', 21, 0, 'x')));
INSERT INTO paws_queue.policy (class, tier, level, target_ms, ops_per_second) VALUES (8, 1, 1, 1, 5);
INSERT INTO paws_queue.policy (class, tier, level, target_ms, ops_per_second, ops_burst, bytes_per_second, bytes_burst, pull_bytes_per_second, pull_bytes_burst)
VALUES (2, 1, 9, 200, 1, 1, 1, 1, 1, 1);
UPDATE paws_queue.tier_policy SET features = 32 WHERE NOT shipped;
DELETE FROM paws_queue.policy WHERE NOT shipped;
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;

-- What premium is given, grace_period has; and nobody takes it away below
SELECT paws_sync.set_tier_policy('premium', ops_per_second => 60, max_devices => 12);
SELECT tier, ops_per_second, max_devices, max_payload, shipped FROM paws_sync.tier_policy WHERE tier IN ('premium', 'grace_period') ORDER BY 1;
SELECT paws_sync.set_tier_policy('grace_period', ops_per_second => 59);
SELECT paws_sync.set_tier_policy('grace_period', ops_burst => 9999);
SELECT paws_sync.set_tier_policy('grace_period', bytes_per_second => 1048575);
SELECT paws_sync.set_tier_policy('grace_period', bytes_burst => 1);
SELECT paws_sync.set_tier_policy('grace_period', max_payload => 1048575);
SELECT paws_sync.set_tier_policy('grace_period', max_devices => 11);
SELECT paws_sync.set_tier_policy('grace_period', offline_hours => 167);
SELECT paws_sync.set_tier_policy('grace_period', pull_bytes_per_second => 1);
SELECT paws_sync.set_tier_policy('grace_period', pull_bytes_burst => 1);
SELECT paws_sync.set_tier_policy('grace_period', features => '{attachments,history_export,insights,sharing}');
DELETE FROM paws_queue.tier_policy WHERE tier = 4 AND NOT shipped;
SELECT paws_sync.set_tier_policy('premium', features => '{}');
SELECT paws_sync.set_tier_policy('grace_period', features => '{sharing,attachments,sharing}');
SELECT tier, features FROM paws_sync.tier_policy ORDER BY tier;
-- the same for classes: their own limits, and having any
SELECT paws_sync.set_policy('bulk', 'premium', ops_per_second => 5, ops_burst => 5);
SELECT class, tier, own_limits, ops_per_second, ops_burst FROM paws_sync.policy WHERE class = 'bulk' AND tier IN ('premium', 'grace_period') ORDER BY 2;
SELECT paws_sync.set_policy('bulk', 'grace_period', own_limits => false);
SELECT paws_sync.set_policy('bulk', 'grace_period', ops_burst => 5);
SELECT paws_sync.set_policy('bulk', 'grace_period', ops_burst => 4);
-- a class of grace with an allowance of its own is lifted with the tier that premium draws on
SELECT paws_sync.set_policy('standard', 'grace_period', ops_per_second => 60);
SELECT paws_sync.set_tier_policy('premium', ops_per_second => 70, pull_bytes_burst => 2000000000);
SELECT tier, own_limits, ops_per_second, pull_bytes_burst FROM paws_sync.policy WHERE class = 'standard' AND tier IN ('premium', 'grace_period') ORDER BY 1;
SELECT paws_sync.set_policy('bulk', 'premium', own_limits => false);
SELECT tier, own_limits, ops_per_second, ops_burst FROM paws_sync.policy WHERE class = 'bulk' AND tier IN ('premium', 'grace_period') ORDER BY 1;
SELECT paws_sync.set_policy('bulk', 'grace_period', own_limits => false);
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;
DELETE FROM paws_queue.policy WHERE NOT shipped;
CALL t.wait_applied();
