-- jobs: work for the application's own workers, and the topics that it is sorted by.

CREATE FUNCTION paws_sync.define_topic(name text, max_attempts integer DEFAULT 20,
	backoff interval DEFAULT '1 second', max_backoff interval DEFAULT '1 hour',
	lease interval DEFAULT '30 seconds', in_flight_per_flow integer DEFAULT 10, history interval DEFAULT '1 day',
	dead_letters_kept interval DEFAULT '30 days')
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_define_topic';
REVOKE ALL ON FUNCTION paws_sync.define_topic(text, integer, interval, interval, interval, integer, interval, interval) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.define_topic(text, integer, interval, interval, interval, integer, interval, interval) IS
	'Defines a kind of jobs, or changes one: attempts before a job is dead, pause after the first failed attempt (doubled each time, up to max_backoff), how long a claim is good for, how many jobs of one ordering key or subject may run at once (0: any number), how long finished jobs are remembered, and how long dead letters are kept.';

CREATE FUNCTION paws_sync.drop_topic(name text)
	RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_drop_topic';
REVOKE ALL ON FUNCTION paws_sync.drop_topic(text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.drop_topic(text) IS
	'Removes a kind of jobs of which none waits, runs or is among the dead letters.';

CREATE FUNCTION paws_sync.topics()
	RETURNS TABLE (name text, max_attempts integer, backoff interval, max_backoff interval, lease interval,
		in_flight_per_flow integer, history interval, dead_letters_kept interval, paused boolean,
		defined_at timestamptz)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_topics_list';
REVOKE ALL ON FUNCTION paws_sync.topics() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.topics() IS
	'The kinds of jobs that are defined.';

CREATE FUNCTION paws_sync.pause_topic(name text)
	RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_pause_topic';
REVOKE ALL ON FUNCTION paws_sync.pause_topic(text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.pause_topic(text) IS
	'From the commit on none of its jobs is claimed; what runs may be completed, and jobs may be submitted. False if it was paused before.';

CREATE FUNCTION paws_sync.resume_topic(name text)
	RETURNS boolean
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_resume_topic';
REVOKE ALL ON FUNCTION paws_sync.resume_topic(text) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.resume_topic(text) IS
	'Ends a pause. False if there was none.';

CREATE FUNCTION paws_sync.submit(topic text, payload bytea, class paws_sync.class DEFAULT 'standard',
	subject paws_sync.subject DEFAULT NULL, key text DEFAULT NULL, not_before timestamptz DEFAULT NULL,
	ordering_key text DEFAULT NULL, expires_at timestamptz DEFAULT NULL, OUT job bigint,
	OUT outcome paws_sync.job_outcome, OUT state paws_sync.job_state, OUT result bytea,
	OUT level paws_sync.level, OUT retry_after interval, OUT code text)
	RETURNS record
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_submit';
REVOKE ALL ON FUNCTION paws_sync.submit(text, bytea, paws_sync.class, paws_sync.subject, text, timestamptz, text, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.submit(text, bytea, paws_sync.class, paws_sync.subject, text, timestamptz, text, timestamptz) IS
	'Adds a job, in the caller''s transaction: outcome submitted, or duplicate with what is known of the first one if its key was used before, or limited or rejected with a code. Without a subject it is served like premium.';

CREATE FUNCTION paws_sync.submit_many(topic text, payloads bytea[], class paws_sync.class DEFAULT 'standard',
	subjects paws_sync.subject[] DEFAULT NULL, keys text[] DEFAULT NULL, not_before timestamptz[] DEFAULT NULL,
	ordering_keys text[] DEFAULT NULL, expires_at timestamptz[] DEFAULT NULL)
	RETURNS TABLE (job bigint, outcome paws_sync.job_outcome, state paws_sync.job_state, result bytea,
		level paws_sync.level, retry_after interval, code text, item integer)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_submit_many';
REVOKE ALL ON FUNCTION paws_sync.submit_many(text, bytea[], paws_sync.class, paws_sync.subject[], text[], timestamptz[], text[], timestamptz[]) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.submit_many(text, bytea[], paws_sync.class, paws_sync.subject[], text[], timestamptz[], text[], timestamptz[]) IS
	'submit for many jobs: one element for each job in every array that is given; one row for each, in order.';

CREATE FUNCTION paws_sync.claim(topics text[], max integer DEFAULT 1, lease interval DEFAULT NULL)
	RETURNS TABLE (job bigint, fence bigint, topic text, level paws_sync.level, class paws_sync.class,
		attempt integer, payload bytea, subject paws_sync.subject, submitted_at timestamptz,
		leased_until timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_claim';
REVOKE ALL ON FUNCTION paws_sync.claim(text[], integer, interval) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.claim(text[], integer, interval) IS
	'Takes up to max jobs of the named topics, most urgent first, under leases that end by themselves. Writes nothing: a claim is let go when its transaction or savepoint is rolled back, and when the server restarts.';

CREATE FUNCTION paws_sync.claim_wait(topics text[], max integer DEFAULT 1, lease interval DEFAULT NULL,
	timeout interval DEFAULT '1 second')
	RETURNS TABLE (job bigint, fence bigint, topic text, level paws_sync.level, class paws_sync.class,
		attempt integer, payload bytea, subject paws_sync.subject, submitted_at timestamptz,
		leased_until timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_claim_wait';
REVOKE ALL ON FUNCTION paws_sync.claim_wait(text[], integer, interval, interval) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.claim_wait(text[], integer, interval, interval) IS
	'claim that waits until there is a job, at most the timeout and paws_sync.max_wait_with_snapshot.';

CREATE FUNCTION paws_sync.extend(job bigint, fence bigint, lease interval DEFAULT NULL)
	RETURNS paws_sync.job_outcome
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_extend';
REVOKE ALL ON FUNCTION paws_sync.extend(bigint, bigint, interval) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.extend(bigint, bigint, interval) IS
	'Lets a lease last from now for another term (NULL: the topic''s): extended, or lost.';

CREATE FUNCTION paws_sync.release(job bigint, fence bigint)
	RETURNS paws_sync.job_outcome
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_release';
REVOKE ALL ON FUNCTION paws_sync.release(bigint, bigint) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.release(bigint, bigint) IS
	'Gives a job back at once, and counts no attempt: released, or lost.';

CREATE FUNCTION paws_sync.snooze(job bigint, fence bigint, delay interval)
	RETURNS paws_sync.job_outcome
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_snooze';
REVOKE ALL ON FUNCTION paws_sync.snooze(bigint, bigint, interval) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.snooze(bigint, bigint, interval) IS
	'Gives a job back to be claimed again after a delay, and counts no attempt: snoozed, or lost.';

CREATE FUNCTION paws_sync.fail(job bigint, fence bigint, retry_after interval DEFAULT NULL,
	reason paws_sync.job_reason DEFAULT 'failed')
	RETURNS paws_sync.job_outcome
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_fail';
REVOKE ALL ON FUNCTION paws_sync.fail(bigint, bigint, interval, paws_sync.job_reason) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.fail(bigint, bigint, interval, paws_sync.job_reason) IS
	'Says that an attempt failed: retried after the topic''s backoff or the given time, dead if it was the last attempt, or lost.';

CREATE FUNCTION paws_sync.complete(job bigint, fence bigint, result bytea DEFAULT NULL,
	durable boolean DEFAULT true)
	RETURNS paws_sync.job_outcome
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_complete';
REVOKE ALL ON FUNCTION paws_sync.complete(bigint, bigint, bytea, boolean) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.complete(bigint, bigint, bytea, boolean) IS
	'Ends a job, in the caller''s transaction, so that its effects there happen exactly once; fails with PW011 if the lease is lost. The result is kept, sealed, for whoever submits with the same key. With durable false the commit is flushed with others within 20 ms; after a crash in between the job is done again.';

CREATE FUNCTION paws_sync.complete_many(jobs bigint[], fences bigint[], results bytea[] DEFAULT NULL,
	durable boolean DEFAULT true)
	RETURNS TABLE (job bigint, outcome paws_sync.job_outcome)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_complete_many';
REVOKE ALL ON FUNCTION paws_sync.complete_many(bigint[], bigint[], bytea[], boolean) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.complete_many(bigint[], bigint[], bytea[], boolean) IS
	'complete for many jobs, one row for each: completed, or lost, which is no error here.';

CREATE FUNCTION paws_sync.cancel(job bigint)
	RETURNS paws_sync.job_outcome
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_cancel';
REVOKE ALL ON FUNCTION paws_sync.cancel(bigint) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.cancel(bigint) IS
	'Takes a job out of service, also while it runs: its worker''s complete fails then. cancelled, or not_found if it is finished or unknown.';

CREATE FUNCTION paws_sync.job_status(job bigint)
	RETURNS TABLE (job bigint, topic text, state paws_sync.job_state, level paws_sync.level,
		class paws_sync.class, attempts integer, reason paws_sync.job_reason, submitted_at timestamptz,
		not_before timestamptz, leased_until timestamptz, ended_at timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_job_status_row';
REVOKE ALL ON FUNCTION paws_sync.job_status(bigint) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.job_status(bigint) IS
	'Where a job stands; no row if it is unknown, or finished for longer than its topic''s history.';

CREATE FUNCTION paws_sync.dead_letters(topic text, max integer DEFAULT 100)
	RETURNS TABLE (job bigint, class paws_sync.class, level paws_sync.level, attempts integer,
		reason paws_sync.job_reason, submitted_at timestamptz, dead_at timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_dead_letters';
REVOKE ALL ON FUNCTION paws_sync.dead_letters(text, integer) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.dead_letters(text, integer) IS
	'The jobs of a topic that failed for good, latest first, without what is in them.';

CREATE FUNCTION paws_sync.redrive(topic text, jobs bigint[] DEFAULT NULL, max integer DEFAULT 100)
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_redrive';
REVOKE ALL ON FUNCTION paws_sync.redrive(text, bigint[], integer) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.redrive(text, bigint[], integer) IS
	'Gives dead letters a new life with all attempts: the named ones, or the oldest. How many.';

CREATE FUNCTION paws_sync.discard(topic text, jobs bigint[] DEFAULT NULL, max integer DEFAULT 100)
	RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_discard';
REVOKE ALL ON FUNCTION paws_sync.discard(text, bigint[], integer) FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.discard(text, bigint[], integer) IS
	'Drops dead letters for good: the named ones, or the oldest. How many. Their keys may be used anew as after any other end.';

CREATE FUNCTION paws_sync.stat_topics()
	RETURNS TABLE (topic text, paused boolean, waiting bigint, waiting_by_level bigint[], delayed bigint,
		running bigint, dead bigint, in_rate double precision, out_rate double precision)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'paws_stat_topics';
REVOKE ALL ON FUNCTION paws_sync.stat_topics() FROM PUBLIC;
COMMENT ON FUNCTION paws_sync.stat_topics() IS
	'Behind the view pg_stat_paws_sync_topics.';

CREATE VIEW paws_sync.pg_stat_paws_sync_topics WITH (security_invoker) AS
	SELECT * FROM paws_sync.stat_topics();
REVOKE ALL ON TABLE paws_sync.pg_stat_paws_sync_topics FROM PUBLIC;
COMMENT ON VIEW paws_sync.pg_stat_paws_sync_topics IS 'What waits and runs in each topic, from shared memory.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_topics.topic IS 'As define_topic was given it.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_topics.paused IS 'None of its jobs is claimed.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_topics.waiting IS 'Jobs that could be claimed now.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_topics.waiting_by_level IS 'Jobs that wait or run, by level: element 1 is level 1, background.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_topics.delayed IS 'Jobs whose time has not come: submitted for later, snoozed, or to be tried again.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_topics.running IS 'Jobs under a lease.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_topics.dead IS 'Dead letters.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_topics.in_rate IS 'Jobs submitted in a second, over the last ten or so.';
COMMENT ON COLUMN paws_sync.pg_stat_paws_sync_topics.out_rate IS 'Jobs that ended in a second, in whatever way.';
