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

-- A class with limits of its own has an allowance for itself: what others draw on is not touched by it, and the other way
-- round. One call may ask for several; what is refused in one holds up nothing in the other.
SELECT paws_sync.subject_for('admission 3') AS classes \gset
SELECT paws_sync.register_device(:'classes', 'ios') AS classes_phone \gset
SELECT paws_sync.set_entitlement(:'classes', 'basic');
SELECT paws_sync.set_tier_policy('basic', ops_per_second => 1, ops_burst => 3);
SELECT paws_sync.set_policy('bulk', 'basic', ops_per_second => 1, ops_burst => 2, bytes_per_second => 1, bytes_burst => 1000);
SELECT own_limits, count(*), min(ops_burst), max(ops_burst), max(bytes_burst) FROM paws_sync.policy WHERE tier = 'basic' GROUP BY 1 ORDER BY 1;
SELECT item, outcome, code FROM paws_sync.push(:'classes_phone', t.ops(
	t.op(1, 'upload', 1, 0, 'a'), t.op(2, 'upload', 2, 0, 'b'), t.op(3, 'upload', 3, 0, 'c'), t.op(4, 'mood', 4, 0, 'd'),
	t.op(5, 'upload', 5, 0, 'e'), t.op(6, 'plan', 6, 0, 'f'), t.op(7, 'trace', 7, 0, 'g'), t.op(8, 'mood', 8, 0, 'h')));
-- without them it draws on the allowance of the tier again, which is used up
SELECT paws_sync.set_policy('bulk', 'basic', own_limits => false);
SELECT own_limits, level, shipped FROM paws_sync.policy WHERE tier = 'basic' AND class = 'bulk';
SELECT outcome, code FROM paws_sync.push(:'classes_phone', t.ops(t.op(9, 'upload', 9, 0, 'i')));
-- a larger allowance holds at once, and what was used counts against it in the new measure
SELECT paws_sync.set_tier_policy('basic', ops_burst => 30);
SELECT paws_sync.set_tier_policy('premium', ops_per_second => 2, ops_burst => 100);
SELECT paws_sync.set_entitlement(paws_sync.subject_for('admission 5'), 'basic');
SELECT paws_sync.register_device(paws_sync.subject_for('admission 5'), 'ios') AS paying \gset
SELECT count(*) FILTER (WHERE outcome = 'accepted') BETWEEN 30 AND 39 AS about_30 FROM paws_sync.push(:'paying',
	(SELECT jsonb_agg(t.op(n, 'mood', n, 0)) FROM generate_series(101, 140) AS n));
SELECT paws_sync.set_entitlement(paws_sync.subject_for('admission 5'), 'premium');
SELECT count(*) FILTER (WHERE outcome = 'accepted') BETWEEN 70 AND 99 AS about_70 FROM paws_sync.push(:'paying',
	(SELECT jsonb_agg(t.op(n, 'mood', n, 0)) FROM generate_series(201, 300) AS n));
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;
DELETE FROM paws_queue.policy WHERE NOT shipped;
CALL t.wait_applied();

-- A payload above the burst goes when all of the allowance is there, and has to be paid for before the next.
SELECT paws_sync.subject_for('admission 4') AS large \gset
SELECT paws_sync.register_device(:'large', 'ios') AS large_phone, paws_sync.register_device(:'large', 'web') AS large_browser \gset
SELECT paws_sync.set_tier_policy('trial', bytes_per_second => 100, bytes_burst => 1000);
SELECT item, outcome, retry_after > '1 minute' AS wait FROM paws_sync.push(:'large_phone', t.ops(
	t.op(1, 'mood', 1, 0, repeat('a', 9000)), t.op(2, 'mood', 2, 0, 'b'), t.op(3, 'mood', 3, 0)));
SELECT outcome FROM paws_sync.push(:'large_phone', t.ops(t.op(4, 'mood', 4, 0)));
-- a rise of the rate shortens the wait; what was used up counts as it was
SELECT paws_sync.set_tier_policy('trial', bytes_per_second => 1000000, bytes_burst => 1000000);
SELECT outcome FROM paws_sync.push(:'large_phone', t.ops(t.op(5, 'mood', 5, 0, repeat('c', 60000)), t.op(6, 'mood', 6, 0, repeat('d', 60000))));
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;
CALL t.wait_applied();

-- Pull: a page ends where the allowance does, one payload late, and says when to come back. The cursor of the last row is
-- before what was not told. Crisis rows are told whole, and cost nothing.
SELECT outcome FROM paws_sync.push(:'large_phone', t.ops(t.op(11, 'safety_plan', 11, 0, repeat('p', 5000)), t.op(12, 'signal', 12, 0, repeat('s', 5000))));
SELECT paws_sync.set_tier_policy('trial', pull_bytes_per_second => 1, pull_bytes_burst => 60000);
SELECT lane, kind, t.no(doc_id) AS doc, length(payload), code, retry_after BETWEEN '1 minute' AND '1 day' AS wait FROM paws_sync.pull(:'large_browser');
SELECT cursor AS place FROM paws_sync.pull(:'large_browser') WHERE kind = 'limited' \gset
SELECT lane, kind, t.no(doc_id) AS doc, code, retry_after BETWEEN '1 minute' AND '1 day' AS wait FROM paws_sync.pull(:'large_browser', :'place');
SELECT lane, kind, code, retry_after > '0' AS wait FROM paws_sync.pull_wait(:'large_browser', :'place', '20 ms');
SELECT lane, kind, count(*), count(retry_after) FROM paws_sync.pull_crisis(:'large_browser', NULL) GROUP BY 1, 2;
-- another device of the same person draws on the same allowance; its own receipts have no payload
SELECT lane, kind, t.no(doc_id) AS doc, code FROM paws_sync.pull(:'large_phone');
-- crisis comes through while the ordinary lane is cut
SELECT outcome FROM paws_sync.push(:'large_phone', t.ops(t.op(13, 'signal', 13, 0, 'help')));
SELECT lane, kind, t.text(payload) AS payload FROM paws_sync.pull(:'large_browser', :'place');
-- as soon as there is an allowance again, the rest comes, each document once
SELECT paws_sync.set_tier_policy('trial', pull_bytes_per_second => 1000000000, pull_bytes_burst => 1000000000);
SELECT kind, t.no(doc_id) AS doc, length(payload), retry_after FROM paws_sync.pull(:'large_browser', :'place') WHERE lane = 'ordinary';
-- nothing at all: documents wait, receipts and deletions come
SELECT (array_agg(cursor))[count(*)] AS here FROM paws_sync.pull(:'large_browser', :'place') \gset
SELECT paws_sync.set_tier_policy('trial', pull_bytes_per_second => 0, pull_bytes_burst => 0);
SELECT outcome FROM paws_sync.push(:'large_phone', t.ops(t.op(21, 'mood', 5, 1), t.op(22, 'mood', 6, 1, 'new')));
CALL t.wait_applied();
SELECT kind, t.no(doc_id) AS doc, deleted, code, retry_after FROM paws_sync.pull(:'large_browser', :'here');
-- a page that ends with its own bound is not cut
SELECT paws_sync.set_tier_policy('trial', pull_bytes_per_second => 1000000000, pull_bytes_burst => 1000000000);
SELECT count(*), count(*) FILTER (WHERE kind = 'limited') AS limited FROM paws_sync.pull(:'large_browser', NULL, max_bytes => 1);
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;

SELECT paws_sync.define_topic('budgeted');
SELECT outcome FROM paws_sync.submit('budgeted', 'x', key => 'known');
SELECT paws_sync.subject_for('budgeted') AS other_subject \gset

-- The byte budget of the server: more than fits a moment is refused with another code, for everybody, and crisis goes on.
ALTER SYSTEM SET paws_sync.byte_budget = '1kB';
SELECT pg_reload_conf();
\c -
SHOW paws_sync.byte_budget;
SELECT item, outcome, code, retry_after > '30 s' AS wait FROM paws_sync.push(:'other', t.ops(t.op(41, 'mood', 41, 0, repeat('x', 60000)), t.op(42, 'mood', 42, 0, 'y'), t.op(43, 'upload', 43, 0)));
SELECT item, outcome, code FROM paws_sync.push(:'large_phone', t.ops(t.op(44, 'mood', 44, 0, 'x'), t.op(45, 'signal', 45, 0, repeat('x', 100000))));
SELECT DISTINCT kind, code, retry_after > '30 s' AS wait FROM paws_sync.pull(:'large_browser') WHERE lane = 'ordinary';
SELECT count(*) FROM paws_sync.pull_crisis(:'large_browser') WHERE payload IS NOT NULL;
-- jobs of nobody's are held to it as well, and what follows a refused one does not overtake it; a known key costs nothing
SELECT outcome, code, retry_after > '30 s' AS wait, job, level FROM paws_sync.submit('budgeted', 'x');
SELECT item, outcome, code, retry_after > '30 s' AS wait FROM paws_sync.submit_many('budgeted', '{x,y,z}', keys => '{NULL,known,""}');
SELECT outcome, code FROM paws_sync.submit('budgeted', 'x', subject => :'other_subject');
SELECT limited FROM paws_sync.pg_stat_paws_sync_admission WHERE class = 'standard' AND tier = 'premium';
SELECT resource, unit, capacity, reserved, used_by_crisis > 0 AS crisis, used_by_ordinary >= 60000 AS ordinary, held_back > 0 AS held_back
FROM paws_sync.pg_stat_paws_sync_reserve WHERE resource = 'bytes';
ALTER SYSTEM RESET paws_sync.byte_budget;
SELECT pg_reload_conf();
\c -
SHOW paws_sync.byte_budget;
SELECT outcome FROM paws_sync.push(:'large_phone', t.ops(t.op(44, 'mood', 44, 0, 'x')));
SELECT outcome FROM paws_sync.submit('budgeted', 'x');
SELECT count(paws_sync.cancel(id)) FROM paws_queue.job j JOIN paws_queue.topic t USING (topic_no) WHERE t.name = 'budgeted';
SELECT paws_sync.drop_topic('budgeted');
SELECT resource, capacity IS NULL AS unbounded, reserved IS NULL AS unreserved FROM paws_sync.pg_stat_paws_sync_reserve ORDER BY 1;

-- With every limit of every tier and class at 0 whatever is of crisis answers.
SELECT count(paws_sync.set_tier_policy(tier, 0, 0, 0, 0, 0, 0, 1, NULL, NULL, 0, 0, '{}')) FROM unnest(enum_range(NULL::paws_sync.tier)) AS tier;
SELECT count(paws_sync.set_policy(class, tier, own_limits => true, ops_per_second => 0, ops_burst => 0, bytes_per_second => 0, bytes_burst => 0,
	pull_bytes_per_second => 0, pull_bytes_burst => 0))
FROM unnest(enum_range('control'::paws_sync.class, NULL)) AS class, unnest(enum_range(NULL::paws_sync.tier)) AS tier;
SELECT DISTINCT ops_per_second, ops_burst, bytes_per_second, bytes_burst, pull_bytes_per_second, pull_bytes_burst FROM paws_sync.policy ORDER BY 1;
SELECT DISTINCT ops_per_second, ops_burst, bytes_per_second, bytes_burst, max_payload, max_devices, pull_bytes_per_second, pull_bytes_burst, features FROM paws_sync.tier_policy;
CREATE FUNCTION t.crisis_answers(tier paws_sync.tier) RETURNS TABLE (call text, answer text) LANGUAGE plpgsql AS
$$
DECLARE
	s paws_sync.subject := paws_sync.subject_for('nothing in ' || tier);
	d paws_sync.device;
BEGIN
	PERFORM paws_sync.set_entitlement(s, tier);
	d := paws_sync.register_device(s, 'ios');
	RETURN QUERY SELECT 'register_device', CASE WHEN crisis_only THEN 'crisis_only' ELSE 'full' END FROM paws_sync.devices(s);
	RETURN QUERY SELECT 'push_crisis', string_agg(p.outcome || ' ' || p.receipt, ', ') FROM paws_sync.push_crisis(d, t.ops(t.op(1, 'signal', 1, 0, 'help'), t.op(2, 'safety_plan', 2, 0, repeat('x', 1048576)))) p;
	RETURN QUERY SELECT 'push', string_agg(p.outcome || coalesce(' ' || p.code, ''), ', ' ORDER BY item) FROM paws_sync.push(d, t.ops(t.op(3, 'mood', 3, 0, 'x'), t.op(4, 'signal', 4, 0, 'help'), t.op(5, 'mood', 3, 0))) p;
	RETURN QUERY SELECT 'pull', count(*)::text FROM paws_sync.pull(paws_sync.register_device(s, 'web'), NULL, 500, 67108864) p WHERE p.kind = 'change';
	RETURN QUERY SELECT 'pull_crisis', count(*)::text FROM paws_sync.pull_crisis(paws_sync.register_device(s, 'web'), NULL, 500, 67108864) p WHERE p.payload IS NOT NULL;
	RETURN QUERY SELECT 'crisis_bundle', count(*) FILTER (WHERE b.kind = 'document') || ' documents, 988 ' || bool_or(b.contact = '988') FROM paws_sync.crisis_bundle(d, 'us') b;
END
$$;
SELECT call, answer, string_agg(tier::text, ' ' ORDER BY tier) AS tiers FROM unnest(enum_range(NULL::paws_sync.tier)) AS tier, t.crisis_answers(tier) GROUP BY 1, 2 ORDER BY 1;
DROP FUNCTION t.crisis_answers;
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;
DELETE FROM paws_queue.policy WHERE NOT shipped;

-- what was done is counted by class and tier, and from anew
SELECT class, tier, admitted > 0 AS admitted, limited > 0 AS limited, untracked, bytes_in > 0 AS bytes_in, bytes_out > 0 AS bytes_out, pages_cut > 0 AS pages_cut
FROM paws_sync.pg_stat_paws_sync_admission WHERE class IN ('interactive', 'bulk') AND tier IN ('trial', 'basic') ORDER BY 1, 2;
SELECT count(*) AS rows, count(*) FILTER (WHERE class IN ('emergency', 'safety')) AS crisis, count(DISTINCT tier) AS tiers FROM paws_sync.pg_stat_paws_sync_admission;
SELECT paws_sync.stat_reset();
SELECT sum(admitted + limited + untracked + bytes_in + bytes_out + pages_cut) AS nothing, bool_and(since > now() - interval '1 hour') AS since FROM paws_sync.pg_stat_paws_sync_admission;
SELECT outcome FROM paws_sync.push(:'large_phone', t.ops(t.op(31, 'upload', 31, 0, 'abc'), t.op(32, 'nothing', 1, 0, 'x')));
SELECT class, tier, admitted, limited, bytes_in FROM paws_sync.pg_stat_paws_sync_admission WHERE admitted > 0;
CALL t.wait_applied();
