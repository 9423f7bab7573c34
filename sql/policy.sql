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
