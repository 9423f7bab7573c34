-- job: the application's own work. Rows are written by C alone (queue/job_*.c), in the order of these columns.

CREATE TABLE paws_queue.topic (
	topic_no smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	place smallint NOT NULL UNIQUE CHECK (place OPERATOR(pg_catalog.>=) 1 AND place OPERATOR(pg_catalog.<=) 256),
	max_attempts smallint NOT NULL CHECK (max_attempts OPERATOR(pg_catalog.>=) 1),
	in_flight_per_flow integer NOT NULL CHECK (in_flight_per_flow OPERATOR(pg_catalog.>=) 0),
	backoff_us bigint NOT NULL CHECK (backoff_us OPERATOR(pg_catalog.>=) 0),
	max_backoff_us bigint NOT NULL CHECK (max_backoff_us OPERATOR(pg_catalog.>=) 0),
	lease_us bigint NOT NULL CHECK (lease_us OPERATOR(pg_catalog.>) 0),
	history_us bigint NOT NULL CHECK (history_us OPERATOR(pg_catalog.>=) 0),
	dead_letters_us bigint NOT NULL CHECK (dead_letters_us OPERATOR(pg_catalog.>=) 0),
	defined_at timestamptz NOT NULL,
	paused boolean NOT NULL,
	name paws_registry.code_name NOT NULL UNIQUE
);
REVOKE ALL ON TABLE paws_queue.topic FROM PUBLIC;
COMMENT ON TABLE paws_queue.topic IS 'Kinds of jobs of the application''s own workers.';
COMMENT ON COLUMN paws_queue.topic.topic_no IS 'Never given anew: envelopes are bound to it.';
COMMENT ON COLUMN paws_queue.topic.place IS 'Its place in shared memory, given anew when a topic is dropped.';
COMMENT ON COLUMN paws_queue.topic.in_flight_per_flow IS 'Jobs of one ordering key, or else of one subject, that may run at once; 0: any number.';
COMMENT ON COLUMN paws_queue.topic.history_us IS 'Microseconds for which it is known how a job ended; 0: not at all.';
COMMENT ON COLUMN paws_queue.topic.paused IS 'None of its jobs is claimed.';

CREATE SEQUENCE paws_queue.job_id AS bigint;
REVOKE ALL ON SEQUENCE paws_queue.job_id FROM PUBLIC;
COMMENT ON SEQUENCE paws_queue.job_id IS 'Order of submission.';

CREATE SEQUENCE paws_queue.lease_epoch AS bigint MAXVALUE 2147483647;
REVOKE ALL ON SEQUENCE paws_queue.lease_epoch FROM PUBLIC;
COMMENT ON SEQUENCE paws_queue.lease_epoch IS 'Taken once after each start: the upper half of fences, so that a worker from before is refused.';

CREATE TABLE paws_queue.job (
	id bigint NOT NULL,
	rank bigint NOT NULL,
	submitted_at timestamptz NOT NULL,
	topic_no smallint NOT NULL,
	level smallint NOT NULL CHECK (level OPERATOR(pg_catalog.>=) 1 AND level OPERATOR(pg_catalog.<=) 8),
	base_level smallint NOT NULL,
	class smallint NOT NULL,
	tier smallint NOT NULL,
	attempts smallint NOT NULL,
	reason smallint NOT NULL,
	available boolean NOT NULL,
	subject_no bigint,
	run_at timestamptz,
	delay_us bigint,
	expires_at timestamptz,
	ordering_key uuid,
	key uuid,
	envelope paws_registry.envelope NOT NULL,
	CONSTRAINT job_pkey PRIMARY KEY (id)
) WITH (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
	autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE paws_queue.job ALTER COLUMN envelope SET STORAGE EXTERNAL;
-- No two entries are equal, so nothing is gained by looking for such.
CREATE INDEX job_available_idx ON paws_queue.job (topic_no, level, rank, id) WITH (deduplicate_items = off) WHERE available;
CREATE INDEX job_run_at_idx ON paws_queue.job (run_at) WHERE NOT available;
CREATE INDEX job_expires_at_idx ON paws_queue.job (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX job_ordering_idx ON paws_queue.job (topic_no, ordering_key, id) WITH (deduplicate_items = off) WHERE ordering_key IS NOT NULL;
CREATE INDEX job_subject_idx ON paws_queue.job (subject_no, topic_no, available, id) WITH (deduplicate_items = off) WHERE subject_no IS NOT NULL;
REVOKE ALL ON TABLE paws_queue.job FROM PUBLIC;
COMMENT ON TABLE paws_queue.job IS 'Jobs that wait or run; a finished one leaves the table in the transaction that finishes it. That one runs is known to shared memory alone.';
COMMENT ON COLUMN paws_queue.job.id IS 'Order of submission.';
COMMENT ON COLUMN paws_queue.job.rank IS 'Virtual time at its level: what waits there is served in the order of (rank, id).';
COMMENT ON COLUMN paws_queue.job.base_level IS 'The level that class and tier gave it.';
COMMENT ON COLUMN paws_queue.job.attempts IS 'Attempts that failed, or whose lease expired.';
COMMENT ON COLUMN paws_queue.job.reason IS 'Why the last attempt failed; 0: none did.';
COMMENT ON COLUMN paws_queue.job.available IS 'False until the timer finds that run_at has come.';
COMMENT ON COLUMN paws_queue.job.subject_no IS 'Whose key the envelope is under; NULL: that of jobs without a subject.';
COMMENT ON COLUMN paws_queue.job.delay_us IS 'Of a retry: the delay that run_at came from, so that a clock set back makes nobody wait longer.';
COMMENT ON COLUMN paws_queue.job.ordering_key IS 'Keyed digest: jobs of one are worked one at a time, in the order of their ids.';
COMMENT ON COLUMN paws_queue.job.key IS 'Keyed digest of its idempotency key, if it has one.';

CREATE TABLE paws_queue.job_key (
	digest uuid NOT NULL,
	job bigint NOT NULL,
	until timestamptz,
	subject_no bigint,
	topic_no smallint NOT NULL,
	state smallint NOT NULL,
	result paws_registry.envelope,
	CONSTRAINT job_key_pkey PRIMARY KEY (digest, topic_no)
) WITH (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
ALTER TABLE paws_queue.job_key ALTER COLUMN result SET STORAGE EXTERNAL;
CREATE INDEX job_key_until_idx ON paws_queue.job_key (until) WHERE until IS NOT NULL;
CREATE INDEX job_key_subject_idx ON paws_queue.job_key (subject_no, job) WHERE subject_no IS NOT NULL;
CREATE INDEX job_key_result_idx ON paws_queue.job_key (job) WHERE subject_no IS NULL AND result IS NOT NULL;
REVOKE ALL ON TABLE paws_queue.job_key FROM PUBLIC;
COMMENT ON TABLE paws_queue.job_key IS 'Idempotency keys that were used, as keyed digests, with what became of the first job.';
COMMENT ON COLUMN paws_queue.job_key.until IS 'When the key may be used anew; NULL while its job waits, runs or is dead.';
COMMENT ON COLUMN paws_queue.job_key.state IS 'Code of how the job ended; that of available until then.';
COMMENT ON COLUMN paws_queue.job_key.result IS 'The sealed result that its worker gave.';

CREATE TABLE paws_queue.dead_letter (
	id bigint NOT NULL,
	submitted_at timestamptz NOT NULL,
	dead_at timestamptz NOT NULL,
	topic_no smallint NOT NULL,
	base_level smallint NOT NULL,
	class smallint NOT NULL,
	tier smallint NOT NULL,
	attempts smallint NOT NULL,
	reason smallint NOT NULL,
	subject_no bigint,
	expires_at timestamptz,
	ordering_key uuid,
	key uuid,
	envelope paws_registry.envelope NOT NULL,
	CONSTRAINT dead_letter_pkey PRIMARY KEY (id)
);
ALTER TABLE paws_queue.dead_letter ALTER COLUMN envelope SET STORAGE EXTERNAL;
CREATE INDEX dead_letter_topic_idx ON paws_queue.dead_letter (topic_no, dead_at, id);
CREATE INDEX dead_letter_subject_idx ON paws_queue.dead_letter (subject_no, id) WHERE subject_no IS NOT NULL;
REVOKE ALL ON TABLE paws_queue.dead_letter FROM PUBLIC;
COMMENT ON TABLE paws_queue.dead_letter IS 'Jobs that failed for good, until they are redriven or too old.';
COMMENT ON COLUMN paws_queue.dead_letter.dead_at IS 'As coarse as its tier has it.';

-- The form of the dated tables history_YYYYMMDD, which the timer makes and drops; nothing is ever in this one.
CREATE TABLE paws_queue.history (
	job bigint NOT NULL,
	submitted_at timestamptz NOT NULL,
	ended_at timestamptz NOT NULL,
	topic_no smallint NOT NULL,
	level smallint NOT NULL,
	class smallint NOT NULL,
	attempts smallint NOT NULL,
	state smallint NOT NULL,
	reason smallint NOT NULL
);
REVOKE ALL ON TABLE paws_queue.history FROM PUBLIC;
COMMENT ON TABLE paws_queue.history IS 'How jobs ended: the form of the tables of each day (UTC).';
COMMENT ON COLUMN paws_queue.history.submitted_at IS 'As coarse as its tier has it.';
COMMENT ON COLUMN paws_queue.history.ended_at IS 'As coarse as its tier has it.';

SELECT pg_catalog.pg_extension_config_dump('paws_queue.topic', '');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.topic_topic_no_seq', '');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.job_id', '');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.lease_epoch', '');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.job', '');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.job_key', '');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.dead_letter', '');
SELECT pg_catalog.pg_extension_config_dump('paws_queue.history', '');
