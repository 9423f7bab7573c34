-- Admission: how much a subject may push. The limits are made small first, and so slow that no test run is
-- long enough for them to recover.
SELECT paws_sync.subject_for('admission') AS subject, paws_sync.subject_for('admission 2') AS stranger \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset
SELECT paws_sync.register_device(:'stranger', 'ios') AS other \gset
SELECT paws_sync.set_entitlement(:'subject', 'basic'), paws_sync.set_entitlement(:'stranger', 'basic');
SELECT paws_sync.set_tier_policy('basic', ops_per_second => 1, ops_burst => 100);

-- a burst, and then no more: each refused one says how long to wait
SELECT outcome, code, retry_after > '0' AND retry_after <= '2 minutes' AS retry_after, level, revision, receipt, count(*) BETWEEN 90 AND 110 AS about_100
FROM paws_sync.push(:'phone', (SELECT jsonb_agg(t.op(n, 'mood', n, 0, 'a') ORDER BY n) FROM generate_series(1, 200) AS n))
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1;
SELECT bool_and(item <= 110) AS the_first FROM paws_sync.push(:'phone',
	(SELECT jsonb_agg(t.op(n, 'mood', n, 0, 'a') ORDER BY n) FROM generate_series(1, 200) AS n)) WHERE outcome = 'duplicate';

-- what was limited was not taken: it has no receipt, and may be asked again
CALL t.wait_applied();
SELECT outcome FROM paws_sync.receipts(:'phone', ARRAY[t.id(1), t.id(200)]);

-- the limit is the subject's, not the device's; duplicates and what is rejected cost nothing
SELECT outcome, code, retry_after IS NOT NULL AS wait
FROM paws_sync.push(:'browser', (SELECT jsonb_agg(t.op(n, 'mood', n, 0, 'a')) FROM generate_series(301, 400) AS n))
WHERE item = 100;
SELECT outcome, code, receipt FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'a'), t.op(500, 'nothing', 1, 0, 'a')));
SELECT outcome, code FROM paws_sync.push(:'other', t.ops(t.op(1, 'mood', 1, 0, 'a')));

-- crisis is not asked
SELECT outcome, level, receipt FROM paws_sync.push(:'phone', t.ops(t.op(501, 'safety_plan', 501, 0, 'call Sam'), t.op(502, 'signal', 502, 0, 'help')));

-- bytes
SELECT paws_sync.set_tier_policy('basic', ops_per_second => 1000000, ops_burst => 1000000, bytes_per_second => 1, bytes_burst => 10000);
SELECT outcome, code, retry_after > '1 minute' AS wait, count(*) FROM paws_sync.push(:'other',
	(SELECT jsonb_agg(t.op(n, 'mood', n, 0, repeat('x', 3000)) ORDER BY n) FROM generate_series(11, 15) AS n)) GROUP BY 1, 2, 3 ORDER BY 1;

-- a small one still fits, a deletion always does
SELECT outcome FROM paws_sync.push(:'other', t.ops(t.op(21, 'mood', 21, 0, 'x'), t.op(22, 'mood', 21, 1)));

-- a tier with limits of 0 pushes nothing but crisis
SELECT paws_sync.set_tier_policy('basic', 0, 0, 0, 0);
SELECT outcome, code, level FROM paws_sync.push(:'other', t.ops(t.op(31, 'mood', 31, 0, 'x'), t.op(32, 'signal', 32, 0, 'help')));
SELECT detail ~ '^[1-9][0-9]* operations limited, 0 let through' AS counted FROM paws_sync.status() WHERE component = 'admission';
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;
CALL t.wait_applied();
