-- Crisis signals: raised, told to devices, worked on by responders, resolved; and items that are submitted.
\pset format unaligned
\pset null -
\set SHOW_CONTEXT never
SELECT paws_sync.subject_for('signals') AS anna, paws_sync.subject_for('signals, another') AS ben, paws_sync.subject_for('signals, nobody') AS unknown \gset
SELECT paws_sync.register_device(:'anna', 'ios') AS phone, paws_sync.register_device(:'anna', 'web') AS browser,
	paws_sync.register_device(:'ben', 'ios') AS other \gset
-- a row of the crisis lane, and the cursor behind the last one
CREATE FUNCTION t.told(device paws_sync.device, "cursor" text DEFAULT NULL, OUT n bigint, OUT kind text, OUT collection text, OUT payload text, OUT code text,
	OUT is_signal boolean, OUT after text) RETURNS SETOF record LANGUAGE sql AS
$$ SELECT row_number() OVER (), p.kind, p.collection, t.text(p.payload), p.code, p.op_id IS NOT NULL AND p.doc_id IS NULL, p.cursor::text
	FROM paws_sync.pull_crisis($1, $2::paws_sync.cursor) p $$;
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(9001, 'safety_plan', 9001, 0, 'call Sam'), t.op(9002, 'signal', 9002, 0, 'help')));
SELECT after AS before FROM t.told(:'browser') ORDER BY n DESC LIMIT 1 \gset

-- While it is open the same call gives the same signal; severity rises and never falls.
SELECT paws_sync.raise_crisis(:'anna', 'self_report', 'moderate') AS signal \gset
SELECT paws_sync.raise_crisis(:'anna', 'self_report', 'low') = :'signal' AS same;
SELECT source, severity, claimed, escalated, expires_at - raised_at AS lasts, extract(microsecond FROM raised_at)::integer % 1000000 = 0 AS coarse
FROM paws_sync.crisis_signals WHERE signal = :'signal';
SELECT job < 0 AS job, signal = :'signal' AS of_it, topic, class, level, state, attempts, reason, deadline > submitted_at + interval '14 min' AS patient FROM paws_sync.crisis_items;
SELECT paws_sync.raise_crisis(subject => :'anna', source => 'self_report', severity => 'high') = :'signal' AS same;
SELECT severity FROM paws_sync.crisis_signals;
SELECT class, level, deadline < submitted_at + interval '6 min' AS impatient FROM paws_sync.crisis_items;
SELECT paws_sync.raise_crisis(:'anna', 'clinician', 'low') <> :'signal' AS of_another_source;
SELECT paws_sync.raise_crisis(:'ben', 'self_report', 'low') AS of_ben \gset
SELECT :'of_ben' <> :'signal' AS of_another_person;
SELECT source, severity FROM paws_sync.crisis_signals ORDER BY 1, 2;
-- a savepoint, a transaction
BEGIN;
SAVEPOINT s;
SELECT paws_sync.raise_crisis(:'anna', 'self_report', 'imminent') = :'signal' AS same, (SELECT severity FROM paws_sync.crisis_signals WHERE signal = :'signal');
ROLLBACK TO s;
SELECT severity FROM paws_sync.crisis_signals WHERE signal = :'signal';
SELECT paws_sync.raise_crisis(:'anna', 'screening', 'low') AS undone \gset
SELECT paws_sync.raise_crisis(:'anna', 'screening', 'low') = :'undone' AS same;
ROLLBACK;
SELECT count(*) AS undone FROM paws_sync.crisis_signals WHERE signal = :'undone';
-- it may share the transaction of the push that caused it
BEGIN;
SELECT outcome FROM paws_sync.push_crisis(:'other', t.ops(t.op(9003, 'signal', 9003, 0, 'PHQ-9: 3')));
SELECT paws_sync.raise_crisis(:'ben', 'phq9_item9', 'imminent') AS phq \gset
COMMIT;

-- Devices are told first: signals, then documents as they are, safety before emergency. Once for each cursor.
SELECT kind, collection, payload, code, is_signal FROM t.told(:'browser');
SELECT kind, collection, payload, code, is_signal, after = :'before' AS old_cursor FROM t.told(:'browser', :'before');
SELECT after FROM t.told(:'browser', :'before') WHERE n = 2 \gset half_
SELECT kind FROM t.told(:'browser', :'half_after');
SELECT after FROM t.told(:'browser', :'before') ORDER BY n DESC LIMIT 1 \gset told_
SELECT count(*) AS nothing_new FROM t.told(:'browser', :'told_after');
SELECT kind, code FROM t.told(:'phone') LIMIT 1;
SELECT count(*) AS nothing_new FROM paws_sync.pull_crisis_wait(:'browser', :'told_after', '10 ms');
SELECT lane, kind, code FROM paws_sync.pull(:'browser', :'before') LIMIT 1;
SELECT lane, kind, code FROM paws_sync.pull_wait(:'browser', :'before', '1 s') LIMIT 1;
-- a small page has the signals, and the documents at their places
SELECT kind, code FROM paws_sync.pull_crisis(:'browser', NULL, 1);
SELECT kind, t.text(payload) AS payload FROM paws_sync.pull_crisis(:'browser', NULL, 3);
-- what comes after the head is the feed
SELECT outcome FROM paws_sync.push_crisis(:'phone', t.ops(t.op(9004, 'safety_plan', 9001, 1, 'call Kim')));
SELECT kind, payload FROM t.told(:'browser', :'told_after');
SELECT kind, payload FROM t.told(:'browser', :'before') ORDER BY n;
SELECT paws_sync.ack(:'browser', :'told_after');
-- what it is about changed: told again
SELECT paws_sync.raise_crisis(:'anna', 'clinician', 'imminent') AS signal_2 \gset
SELECT kind, code FROM t.told(:'browser', :'told_after') WHERE kind = 'signal' ORDER BY n;
-- documents that cannot be read, and not for a lock, hold up nothing: it is told once, and the feed behind comes
BEGIN;
ALTER TABLE paws_crisis.document RENAME COLUMN changed_at TO gone;
SELECT string_agg(p.kind, ' ') AS kinds, max(p."cursor"::text) AS a, min(p."cursor"::text) AS b FROM paws_sync.pull_crisis(:'browser', :'told_after', 2) p \gset first_
SELECT :'first_kinds' AS kinds;
SELECT CASE WHEN :'first_a' = :'told_after' THEN :'first_b' ELSE :'first_a' END AS after \gset first_
SELECT kind, t.text(payload) AS payload FROM paws_sync.pull_crisis(:'browser', :'first_after', 2);
ROLLBACK;
-- reading writes nothing
BEGIN READ ONLY;
SELECT kind FROM t.told(:'browser', :'before') LIMIT 1;
ROLLBACK;

-- Responders: the most urgent first, and of these the oldest.
SELECT job < 0 AS job, topic, level, class, attempt, payload IS NOT NULL AS payload, subject::text = :'anna' AS anna FROM paws_sync.claim('{crisis_response}', 2) ORDER BY 3 DESC;
SELECT job, fence, t.text(payload)::jsonb - 'signal' AS codes, t.text(payload)::jsonb ->> 'signal' AS signal FROM paws_sync.claim('{crisis_response}') \gset i_
SELECT :'i_codes' AS codes, :'i_signal' = :'phq' AS of_it;
SELECT state, level, class, attempts, reason, leased_until > now() AS leased, ended_at FROM paws_sync.job_status(:i_job);
SELECT bool_and(claimed) AS claimed FROM paws_sync.crisis_signals WHERE signal = :'phq';
-- what is held is passed over; what is given back comes again
SELECT count(*) AS nothing_more FROM paws_sync.claim('{crisis_response}', 10) WHERE job = :i_job;
SELECT paws_sync.release(:i_job, :i_fence), paws_sync.release(:i_job, :i_fence);
SELECT outcome FROM paws_sync.complete_many(ARRAY[:i_job, 1], ARRAY[:i_fence, 1]);
SELECT job = :i_job AS same, fence > :i_fence AS higher, attempt, fence FROM paws_sync.claim('{crisis_response}', 1, '1 min') \gset j_
SELECT :'j_same' AS same, :'j_higher' AS higher, :'j_attempt' AS attempt;
SELECT paws_sync.extend(:i_job, :j_fence, '2 min'), paws_sync.extend(:i_job, :i_fence), paws_sync.extend(:i_job, 0);
SELECT paws_sync.fail(:i_job, :j_fence, '1 hour', 'dependency');
SELECT state, attempts, reason, not_before > now() AS later FROM paws_sync.job_status(:i_job);
SELECT count(*) AS not_yet FROM paws_sync.claim('{crisis_response}', 10);
-- an attempt that ran out counts; a claim that is rolled back is none
UPDATE paws_crisis.item SET available_at = NULL WHERE id = :i_job;
BEGIN;
SELECT attempt FROM paws_sync.claim('{crisis_response}');
ROLLBACK;
SELECT job, fence, attempt FROM paws_sync.claim('{crisis_response}', 1, '0.1 s') \gset k_
UPDATE paws_crisis.item SET claimed_until = date_trunc('second', clock_timestamp()) WHERE id = :k_job;
SELECT job, fence, attempt FROM paws_sync.claim('{crisis_response}') \gset l_
SELECT :k_attempt AS first, :l_attempt AS then, (SELECT reason FROM paws_sync.job_status(:l_job)) AS reason;
SELECT paws_sync.complete(:k_job, :k_fence);
\echo :LAST_ERROR_SQLSTATE
-- a clock that was set back keeps nobody waiting
UPDATE paws_crisis.item SET claimed_at = date_trunc('second', now()) + interval '1 day', claimed_until = date_trunc('second', now()) + interval '2 days' WHERE id = :l_job;
SELECT job, fence FROM paws_sync.claim('{crisis_response}') \gset m_
SELECT :m_job = :l_job AS claimed_again;
SELECT paws_sync.snooze(:m_job, :m_fence, '0'), paws_sync.snooze(:m_job, :m_fence, '0');
-- completing is the transaction's; an item that is over tells how it ended, and nothing else
SELECT job, fence FROM paws_sync.claim('{crisis_response}') \gset n_
BEGIN;
SELECT paws_sync.complete(:n_job, :n_fence);
SELECT count(*) FROM paws_sync.claim('{crisis_response}', 10);
ROLLBACK;
SELECT paws_sync.complete(:n_job, :n_fence, 'a result');
\echo :LAST_ERROR_SQLSTATE
SELECT paws_sync.complete(:n_job, :n_fence, durable => false);
SELECT state, ended_at IS NOT NULL AS ended FROM paws_sync.job_status(:n_job);
SELECT num_nonnulls(available_at, deadline, claimed_at, claimed_until, escalated_at, envelope, seal) AS left FROM paws_crisis.item WHERE id = :n_job;
SELECT paws_sync.cancel(:n_job), paws_sync.release(:n_job, :n_fence), paws_sync.cancel(-9223372036854775808);
SELECT count(*) AS unknown FROM paws_sync.job_status(-9223372036854775808);

-- It became worse while somebody has it: there is another item. Resolving cancels what nobody has.
SELECT paws_sync.raise_crisis(:'ben', 'self_report', 'imminent') = :'of_ben' AS same;
SELECT state, level FROM paws_sync.crisis_items WHERE signal = :'of_ben' ORDER BY job DESC;
SELECT paws_sync.resolve_crisis(:'of_ben'), paws_sync.resolve_crisis(:'of_ben'), paws_sync.resolve_crisis(gen_random_uuid());
SELECT state, level FROM paws_sync.crisis_items WHERE signal = :'of_ben';
SELECT source, severity FROM paws_sync.crisis_signals ORDER BY 1;
SELECT paws_sync.raise_crisis(:'ben', 'self_report', 'low') <> :'of_ben' AS a_new_one;
-- devices are told that it is over
SELECT paws_sync.resolve_crisis(signal) FROM paws_sync.crisis_signals;
SELECT kind, code, is_signal FROM t.told(:'browser', :'told_after') WHERE kind = 'signal';
SELECT after FROM t.told(:'browser', :'told_after') WHERE code = 'ended' \gset ended_
SELECT count(*) AS again FROM t.told(:'browser', :'ended_after') WHERE kind = 'signal';
SELECT kind FROM t.told(:'browser', :'before');

-- Expiry is visible, and holds though nobody wrote it down yet; a new signal takes its place.
SELECT paws_sync.raise_crisis(:'anna', 'trusted_contact', 'high') AS old \gset
UPDATE paws_crisis.signal SET expires_at = date_trunc('second', now()) - interval '1 s', raised_at = date_trunc('second', now()) - interval '3 days' WHERE signal_id = :'old';
SELECT count(*) AS open FROM paws_sync.crisis_signals;
SELECT kind FROM t.told(:'browser', :'before') WHERE kind = 'signal';
SELECT paws_sync.raise_crisis(:'anna', 'trusted_contact', 'low') <> :'old' AS a_new_one;
CALL t.wait(format('(SELECT state = 3 FROM paws_crisis.signal WHERE signal_id = %L)', :'old'));
SELECT paws_sync.resolve_crisis(:'old'), count(paws_sync.resolve_crisis(signal)) FROM paws_sync.crisis_signals;

-- A person whom nobody registered a device of.
SELECT paws_sync.raise_crisis(:'unknown', 'hotline_contact', 'imminent') AS first \gset
SELECT paws_sync.register_device(:'unknown', 'android') AS late \gset
SELECT kind, code FROM t.told(:'late');
SELECT paws_sync.resolve_crisis(:'first');

-- What is wrong with a call.
\set VERBOSITY terse
SELECT paws_sync.raise_crisis(NULL, 'self_report', 'low');
SELECT paws_sync.raise_crisis(:'anna', NULL, 'low');
SELECT paws_sync.raise_crisis(:'anna', 'self_report', NULL);
SELECT paws_sync.raise_crisis(:'anna', 'boredom', 'low');
SELECT paws_sync.raise_crisis(:'anna', 'self_report', '');
SELECT paws_sync.raise_crisis(:'phone', 'self_report', 'low');
SELECT paws_sync.resolve_crisis(NULL);
BEGIN READ ONLY;
SELECT paws_sync.raise_crisis(:'anna', 'self_report', 'low');
ROLLBACK;
BEGIN READ ONLY;
SELECT paws_sync.resolve_crisis(:'first');
ROLLBACK;

\set VERBOSITY default
-- Submitted items: of classes of the crisis lane, in any topic. Never limited, no tier.
SELECT paws_sync.define_topic('callback');
SELECT paws_sync.define_topic('crisis_response');
SELECT paws_sync.drop_topic('crisis_response');
SELECT paws_sync.set_tier_policy('trial', ops_per_second => 0, ops_burst => 0, bytes_per_second => 0, bytes_burst => 0);
SELECT job, outcome, state, level, code FROM paws_sync.submit('callback', 'ring Anna', 'emergency', :'anna', 'once') \gset s_
SELECT :s_job < 0 AS item, :'s_outcome' AS outcome, :'s_state' AS state, :'s_level' AS level;
SELECT job = :s_job AS same, outcome, state, level FROM paws_sync.submit('callback', 'ring Anna', 'safety', :'anna', 'once');
SELECT outcome, state, level FROM paws_sync.submit('crisis_response', '', 'safety', not_before => now() + interval '1 hour');
SELECT outcome, state, level, code, item FROM paws_sync.submit_many('callback', ARRAY['a', NULL, 'b'::bytea, 'c'], 'safety', ARRAY[:'ben', NULL, NULL, :'anna']::paws_sync.subject[],
	ARRAY['k', 'l', 'once', 'k']);
SELECT outcome, code FROM paws_sync.submit('callback', convert_to(repeat('x', 1048577), 'UTF8'), 'emergency');
SELECT outcome FROM paws_sync.submit('callback', 'an ordinary one');
SELECT topic, level, class, CASE WHEN topic = 'callback' THEN t.text(payload) ELSE 'a signal' END AS payload, subject::text = :'anna' AS anna, attempt
FROM paws_sync.claim('{callback,crisis_response}', 10);
SELECT count(*) AS sealed FROM paws_crisis.item WHERE state = 2 AND topic = 'callback' AND get_byte(envelope, 3) IS NOT NULL AND position('ring'::bytea IN envelope) = 0;
-- one that somebody else wrote, or moved, is not handed out: it is put off
UPDATE paws_crisis.item SET claimed_at = NULL, claimed_until = NULL WHERE state = 2 AND topic = 'callback';
UPDATE paws_crisis.item i SET envelope = o.envelope FROM paws_crisis.item o WHERE i.id = :s_job AND o.id = (SELECT min(id) FROM paws_crisis.item WHERE topic = 'callback' AND state = 2);
SELECT count(*) FILTER (WHERE job = :s_job) AS swapped, count(*) FILTER (WHERE level::text = 'crisis_data') AS others FROM paws_sync.claim('{callback}', 10);
SELECT state, reason FROM paws_sync.job_status(:s_job);
SELECT paws_sync.drop_topic('callback');
SELECT paws_sync.cancel(:s_job);
SELECT outcome, state FROM paws_sync.submit('callback', 'again', 'emergency', :'anna', 'once');
SELECT * FROM paws_sync.submit('callback', 'x', 'emergency', ordering_key => 'a');
SELECT * FROM paws_sync.submit('callback', 'x', 'emergency', expires_at => now());
SELECT * FROM paws_sync.submit('no_such', 'x', 'emergency');
SELECT * FROM paws_sync.submit(NULL, 'x', 'emergency');
SELECT * FROM paws_sync.submit('callback', NULL, 'emergency');
SELECT * FROM paws_sync.submit('callback', 'x', 'emergency', key => '');
SELECT count(*) AS nothing FROM paws_sync.submit_many('callback', '{}', 'emergency');
SELECT * FROM paws_sync.claim('{no_such}');
SELECT * FROM paws_sync.claim('{}');

DELETE FROM paws_queue.tier_policy WHERE NOT shipped;

-- A person in a crisis is raised: their waiting work comes first, whatever its level.
SELECT subject_no AS no FROM paws_registry.subject WHERE subject::text = :'ben' \gset
SELECT paws_sync.raise_crisis(:'ben', 'self_report', 'high') AS raised \gset
CALL t.wait('EXISTS (SELECT FROM paws_queue.raised WHERE subject_no = ' || :no || ')');
SELECT level, until > now() AS until FROM paws_queue.raised;
SELECT paws_sync.define_topic('work');
SELECT count(outcome) FROM generate_series(1, 20) i, paws_sync.submit('work', ('anna ' || i)::bytea, 'session', :'anna');
SELECT count(outcome) FROM generate_series(1, 2) i, paws_sync.submit('work', ('ben ' || i)::bytea, 'background', :'ben');
SELECT t.text(payload) AS payload, level FROM paws_sync.claim('{work}');
-- half of a claim at most
SELECT t.text(payload) AS payload, level FROM paws_sync.claim('{work}', 2);
SELECT paws_sync.resolve_crisis(:'raised');
CALL t.wait('NOT EXISTS (SELECT FROM paws_queue.raised)');
SELECT count(outcome) FROM paws_sync.submit('work', 'ben 3', 'background', :'ben');
SELECT t.text(payload) AS payload, level FROM paws_sync.claim('{work}');

-- forgotten with the person
SELECT paws_sync.raise_crisis(:'anna', 'app_detection', 'low') AS last \gset
SELECT count(*) AS forgotten FROM paws_sync.forget(:'anna');
CALL t.wait($$ NOT EXISTS (SELECT FROM paws_crisis.signal s WHERE NOT EXISTS (SELECT FROM paws_registry.subject r WHERE r.subject_no = s.subject_no)) $$);
SELECT paws_sync.resolve_crisis(:'last');
SELECT count(*) AS left FROM paws_crisis.item i WHERE subject_no IS NOT NULL AND NOT EXISTS (SELECT FROM paws_registry.subject r WHERE r.subject_no = i.subject_no);
SELECT count(paws_sync.cancel(id)) > 0 AS cancelled FROM paws_crisis.item WHERE state = 2;
SELECT count(paws_sync.cancel(id)) > 0 AS cancelled FROM paws_queue.job;
SELECT paws_sync.drop_topic('callback'), paws_sync.drop_topic('work');
SELECT count(paws_sync.resolve_crisis(signal)) FROM paws_sync.crisis_signals;
DROP FUNCTION t.told(paws_sync.device, text);
