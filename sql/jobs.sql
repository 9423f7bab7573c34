-- Work for the application's own workers: submitted, claimed, completed, and all that may become of it in between.
\set SHOW_CONTEXT never
SELECT paws_sync.define_topic('letters', max_attempts => 3, backoff => '1 ms', max_backoff => '1 ms');
SELECT paws_sync.define_topic('scans');
SELECT paws_sync.subject_for('jobs basic') AS basic, paws_sync.subject_for('jobs premium') AS premium, paws_sync.subject_for('jobs grace') AS grace,
	paws_sync.subject_for('jobs trial') AS trial \gset
SELECT paws_sync.set_entitlement(:'basic', 'basic'), paws_sync.set_entitlement(:'premium', 'premium'), paws_sync.set_entitlement(:'grace', 'grace_period');

-- one after the other
SELECT job, outcome, state, result, level, retry_after, code FROM paws_sync.submit('letters', 'hello') \gset a_
SELECT :'a_outcome' AS outcome, :'a_state' AS state, :'a_level' AS level, :{?a_result} AS known;
SELECT job = :a_job AS same, fence > 0 AS fenced, topic, level, class, attempt, t.text(payload) AS payload, subject, submitted_at <= now() AS submitted,
	leased_until - now() BETWEEN '20 s' AND '40 s' AS leased FROM paws_sync.claim('{letters}');
SELECT count(*) FROM paws_sync.claim('{letters}', 10);
SELECT state, attempts, reason FROM paws_sync.job_status(:a_job);
-- a claim whose number is lost comes back when its lease ends; here it is cancelled instead
SELECT paws_sync.cancel(:a_job), paws_sync.cancel(:a_job);
SELECT state, ended_at IS NOT NULL AS ended FROM paws_sync.job_status(:a_job);

-- complete with a result; the fence is good once
SELECT job FROM paws_sync.submit('letters', 'with result') \gset
SELECT job, fence FROM paws_sync.claim('{letters}') \gset
SELECT paws_sync.complete(:job, :fence, 'done');
SELECT paws_sync.complete(:job, :fence);
\echo :LAST_ERROR_SQLSTATE
SELECT state FROM paws_sync.job_status(:job);

-- in the caller's transaction: what is rolled back never was
BEGIN;
SELECT job FROM paws_sync.submit('letters', 'rolled back') \gset
SELECT count(*) AS own FROM paws_sync.claim('{letters}', 10);
ROLLBACK;
SELECT count(*) FROM paws_sync.claim('{letters}', 10);
SELECT count(*) FROM paws_sync.job_status(:job);
SELECT outcome FROM paws_sync.submit('letters', 'twice');
BEGIN;
SELECT job, fence FROM paws_sync.claim('{letters}') \gset first_
ROLLBACK;
BEGIN;
SELECT job, fence FROM paws_sync.claim('{letters}') \gset
SELECT :job = :first_job AS same, :fence <> :first_fence AS another_fence;
SELECT paws_sync.complete(:job, :first_fence);
ROLLBACK;
SELECT job, fence FROM paws_sync.claim('{letters}') \gset
BEGIN;
SELECT paws_sync.complete(:job, :fence);
ROLLBACK;
SELECT state FROM paws_sync.job_status(:job);
SELECT paws_sync.complete(:job, :fence);

-- savepoints
BEGIN;
SELECT outcome FROM paws_sync.submit('letters', 'kept');
SAVEPOINT s;
SELECT outcome FROM paws_sync.submit('letters', 'undone');
SELECT count(*) FROM paws_sync.claim('{letters}', 10);
ROLLBACK TO s;
COMMIT;
BEGIN;
SAVEPOINT s;
SELECT t.text(payload) AS payload FROM paws_sync.claim('{letters}', 10);
ROLLBACK TO s;
SELECT t.text(payload) AS payload, job, fence FROM paws_sync.claim('{letters}', 10) \gset
COMMIT;
SELECT :'payload' AS payload, paws_sync.complete(:job, :fence);

-- most urgent first, by class and tier; without a subject like premium
SELECT c.class, t.tier, s.outcome, s.level FROM (VALUES ('background'), ('bulk'), ('standard'), ('interactive'), ('session'), ('control')) AS c (class),
	(VALUES ('trial', :'trial'), ('basic', :'basic'), ('premium', :'premium'), ('grace', :'grace'), (NULL, NULL)) AS t (tier, subject),
	paws_sync.submit('letters', convert_to(c.class || ' ' || coalesce(t.tier, '-'), 'UTF8'), c.class::paws_sync.class, t.subject::paws_sync.subject) s
ORDER BY c.class, t.tier;
SELECT topic, waiting, waiting_by_level, delayed, running FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'letters';
-- one claim of all: the levels come in their order, but for the guaranteed share
CREATE TEMP TABLE claimed AS SELECT *, row_number() OVER () AS n FROM paws_sync.claim('{letters}', 100);
SELECT count(*), count(DISTINCT job) AS jobs, count(DISTINCT fence) AS fences, count(*) FILTER (WHERE attempt = 1) AS first FROM claimed;
SELECT level, count(*), array_agg(t.text(payload) ORDER BY t.text(payload)) FROM claimed GROUP BY level ORDER BY level DESC;
SELECT count(*) AS subjects FROM claimed WHERE subject OPERATOR(paws_sync.=) :'basic';
SELECT running, waiting FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'letters';
-- seen by status and by level as well
SELECT paws_sync.pause_topic('scans');
SELECT state, detail ~ '^[0-9]+ jobs wait, 3[0-9] run \(10000 may\), [0-9]+ are for later, 0 dead letters; paused: scans$' AS told
FROM paws_sync.status() WHERE component = 'jobs';
SELECT check_name, ok, regexp_replace(value, '^3[0-9] ', '3x ') AS value, hint FROM paws_sync.doctor() WHERE area = 'jobs' ORDER BY 1;
SELECT paws_sync.resume_topic('scans');
SELECT count(*) AS levels, sum(l.jobs) >= 30 AS all, bool_and(l.jobs = (SELECT sum(t.waiting_by_level[l.level_number]) FROM paws_sync.pg_stat_paws_sync_topics t)) AS same
FROM paws_sync.pg_stat_paws_sync_lanes l;
SELECT outcome, count(*) FROM paws_sync.complete_many((SELECT array_agg(job) FROM claimed), (SELECT array_agg(fence) FROM claimed)) GROUP BY outcome;
SELECT outcome, count(*) FROM paws_sync.complete_many((SELECT array_agg(job) FROM claimed), (SELECT array_agg(fence) FROM claimed)) GROUP BY outcome;
DROP TABLE claimed;

-- many at once
SELECT item, outcome, state, level, code FROM paws_sync.submit_many('scans', '{a,b,c}', 'bulk', ARRAY[:'basic', NULL, :'premium']::paws_sync.subject[]);
SELECT count(*) FROM paws_sync.submit_many('scans', '{}');
SELECT t.text(payload) AS payload, subject IS NOT NULL AS subject, level FROM paws_sync.claim('{scans}', 2) ORDER BY job;
SELECT count(*) FROM paws_sync.claim('{scans}', 2);
SELECT count(*) FROM paws_sync.claim('{scans}', 2);
-- more than one topic; a name twice is one
SELECT outcome FROM paws_sync.submit('letters', 'of letters') UNION ALL SELECT outcome FROM paws_sync.submit('scans', 'of scans');
SELECT topic, t.text(payload) AS payload, paws_sync.complete(job, fence, durable => false) FROM paws_sync.claim('{letters,scans,letters}', 10) ORDER BY topic;

-- release, snooze, extend
SELECT job FROM paws_sync.submit('letters', 'round') \gset
SELECT job, fence FROM paws_sync.claim('{letters}') \gset
SELECT paws_sync.extend(:job, :fence, '1 hour');
SELECT leased_until - now() > '50 min' AS longer FROM paws_sync.job_status(:job);
SELECT paws_sync.extend(:job, :fence), paws_sync.extend(:job, :fence + 1);
SELECT paws_sync.release(:job, :fence), paws_sync.release(:job, :fence);
SELECT job, fence, attempt FROM paws_sync.claim('{letters}') \gset
SELECT :attempt AS attempt, paws_sync.snooze(:job, :fence, '1 hour'), paws_sync.snooze(:job, :fence, '1 hour');
SELECT state, not_before - now() > '50 min' AS later FROM paws_sync.job_status(:job);
SELECT count(*) FROM paws_sync.claim('{letters}');
SELECT delayed, waiting, running FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'letters';
SELECT paws_sync.cancel(:job);
SELECT job FROM paws_sync.submit('letters', 'nap') \gset
SELECT job, fence FROM paws_sync.claim('{letters}') \gset
SELECT paws_sync.snooze(:job, :fence, '1 ms');
CALL t.wait($$ (SELECT state = 'available' FROM paws_sync.job_status($$ || :job || $$)) $$);
SELECT attempt, paws_sync.complete(job, fence) FROM paws_sync.claim('{letters}');

-- later
SELECT job, outcome, state FROM paws_sync.submit('letters', 'tomorrow', not_before => now() + interval '1 day') \gset
SELECT :'outcome' AS outcome, :'state' AS state, paws_sync.cancel(:job);
SELECT state FROM paws_sync.submit('letters', 'yesterday', not_before => now() - interval '1 day');
SELECT t.text(payload) AS payload, paws_sync.complete(job, fence) FROM paws_sync.claim('{letters}');
SELECT job, state FROM paws_sync.submit('letters', 'soon', not_before => clock_timestamp() + interval '50 ms') \gset
SELECT :'state' AS state;
CALL t.wait($$ (SELECT state = 'available' FROM paws_sync.job_status($$ || :job || $$)) $$);
SELECT t.text(payload) AS payload, paws_sync.complete(job, fence) FROM paws_sync.claim('{letters}');

-- too late
SELECT job FROM paws_sync.submit('letters', 'stale', expires_at => clock_timestamp() + interval '20 ms') \gset
CALL t.wait($$ (SELECT state = 'expired' FROM paws_sync.job_status($$ || :job || $$)) $$);
SELECT count(*) FROM paws_sync.claim('{letters}');
SELECT paws_sync.cancel(:job);

-- failing: attempts, reasons, dead letters, a new life
SELECT job FROM paws_sync.submit('letters', 'poison', 'standard', :'premium') \gset
CREATE PROCEDURE pg_temp.fail_until_dead(job bigint) LANGUAGE plpgsql AS
$$
DECLARE
	c record;
	answer text;
BEGIN
	LOOP
		SELECT * INTO c FROM paws_sync.claim('{letters}');
		COMMIT;
		IF FOUND THEN
			SELECT paws_sync.fail(c.job, c.fence, reason => 'dependency') INTO answer;
			COMMIT;
			RAISE NOTICE 'attempt %: %', c.attempt, answer;
			EXIT WHEN answer <> 'retried';
		END IF;
		PERFORM pg_sleep(0.002);
	END LOOP;
END
$$;
CALL pg_temp.fail_until_dead(:job);
SELECT state, attempts, reason FROM paws_sync.job_status(:job);
SELECT job = :job AS same, class, level, attempts, reason, submitted_at <= dead_at AS ordered FROM paws_sync.dead_letters('letters');
SELECT dead FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'letters';
SELECT paws_sync.redrive('letters', ARRAY[:job]), paws_sync.redrive('letters', ARRAY[:job]), paws_sync.redrive('letters');
SELECT state, attempts FROM paws_sync.job_status(:job);
SELECT attempt, t.text(payload) AS payload, paws_sync.complete(job, fence) FROM paws_sync.claim('{letters}');
SELECT count(*) FROM paws_sync.dead_letters('letters');
-- or none: what is discarded is gone, and history says that it died
SELECT job FROM paws_sync.submit('letters', 'poison', key => 'poison') \gset
CALL pg_temp.fail_until_dead(:job);
SELECT job AS other_job FROM paws_sync.submit('letters', 'poison', 'bulk', :'premium') \gset
CALL pg_temp.fail_until_dead(:other_job);
SELECT dead FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'letters';
SELECT paws_sync.discard('scans', ARRAY[:job]);
SELECT paws_sync.discard('letters', '{}'), paws_sync.discard('letters', ARRAY[:other_job, :other_job, -1]), paws_sync.discard('letters', ARRAY[:other_job]);
BEGIN;
SELECT paws_sync.discard('letters'), paws_sync.discard('letters'), paws_sync.redrive('letters', ARRAY[:job]);
ROLLBACK;
SELECT dead, waiting FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'letters';
SELECT count(*) FROM paws_sync.dead_letters('letters') WHERE job = :job;
SELECT outcome, state, job = :job AS same FROM paws_sync.submit('letters', 'again', key => 'poison');
SELECT paws_sync.discard('letters', max => 10);
SELECT state, attempts, reason, ended_at IS NOT NULL AS ended FROM paws_sync.job_status(:job);
SELECT outcome, state, job = :job AS same FROM paws_sync.submit('letters', 'again', key => 'poison');
SELECT dead FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'letters';
-- retry after a time of the worker's
SELECT job FROM paws_sync.submit('letters', 'later') \gset
SELECT job, fence FROM paws_sync.claim('{letters}') \gset
SELECT paws_sync.fail(:job, :fence, '1 hour', 'refused'), paws_sync.fail(:job, :fence);
SELECT state, attempts, reason, not_before - now() > '50 min' AS later FROM paws_sync.job_status(:job);
SELECT paws_sync.cancel(:job);

-- cancelled while it runs: the worker's own writes go with its complete
SELECT job FROM paws_sync.submit('letters', 'never mind') \gset
SELECT job, fence FROM paws_sync.claim('{letters}') \gset
SELECT paws_sync.cancel(:job);
BEGIN;
CREATE TABLE pg_temp.effect AS SELECT 1 AS done;
SELECT paws_sync.complete(:job, :fence);
COMMIT;
SELECT to_regclass('pg_temp.effect');

-- nothing of it can be prepared
SELECT outcome FROM paws_sync.submit('letters', 'two phases');
BEGIN;
SELECT outcome FROM paws_sync.submit('letters', 'no');
PREPARE TRANSACTION 'regress_paws';
BEGIN;
SELECT paws_sync.complete(job, fence) FROM paws_sync.claim('{letters}');
PREPARE TRANSACTION 'regress_paws';
BEGIN;
SELECT count(*) FROM paws_sync.claim('{letters}');
PREPARE TRANSACTION 'regress_paws';
SELECT t.text(payload) AS payload, paws_sync.complete(job, fence) FROM paws_sync.claim('{letters}', 10);

-- claim_wait
SELECT count(*) FROM paws_sync.claim_wait('{letters}', timeout => '10 ms');
SELECT count(*) FROM paws_sync.claim_wait('{letters}', timeout => '0');
SELECT outcome FROM paws_sync.submit('letters', 'waited for');
SELECT t.text(payload) AS payload, paws_sync.complete(job, fence) FROM paws_sync.claim_wait('{letters}', timeout => '1 minute');
-- what becomes due while it waits
SELECT outcome FROM paws_sync.submit('letters', 'due', not_before => clock_timestamp() + interval '100 ms');
CREATE FUNCTION pg_temp.wait_for_job() RETURNS TABLE (payload text, outcome paws_sync.job_outcome) LANGUAGE plpgsql AS
$$
BEGIN
	FOR i IN 1 .. 120 LOOP
		RETURN QUERY SELECT t.text(c.payload), paws_sync.complete(c.job, c.fence) FROM paws_sync.claim_wait('{letters}') c;
		EXIT WHEN FOUND;
	END LOOP;
END
$$;
SELECT * FROM pg_temp.wait_for_job();
SELECT count(*) FROM paws_sync.claim_wait('{letters}', timeout => '1000 years');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM paws_sync.claim_wait('{letters}');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
-- a wait can be cancelled
SET statement_timeout = '50 ms';
SELECT count(*) FROM generate_series(1, 1000), paws_sync.claim_wait('{letters}', timeout => '1 minute');
RESET statement_timeout;

-- read-only transactions read
BEGIN READ ONLY;
SELECT outcome FROM paws_sync.submit('letters', 'no');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN READ ONLY;
SELECT count(*) FROM paws_sync.job_status(-1);
SELECT count(*) FROM paws_sync.dead_letters('letters');
COMMIT;

-- all is gone
SELECT waiting, delayed, running, dead FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'letters';
