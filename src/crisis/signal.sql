-- signal: persons in a crisis, and what responders are to do. Of the crisis lane alone: no foreign key leads out or in.

CREATE TABLE paws_crisis.signal (
	signal_id uuid NOT NULL,
	subject_no bigint NOT NULL,
	twin bigint NOT NULL,
	raised_at timestamptz NOT NULL,
	expires_at timestamptz NOT NULL,
	ended_at timestamptz,
	source smallint NOT NULL CHECK (source OPERATOR(pg_catalog.>=) 1 AND source OPERATOR(pg_catalog.<=) 7),
	severity smallint NOT NULL CHECK (severity OPERATOR(pg_catalog.>=) 1 AND severity OPERATOR(pg_catalog.<=) 4),
	state smallint NOT NULL CHECK (state OPERATOR(pg_catalog.>=) 1 AND state OPERATOR(pg_catalog.<=) 3),
	CONSTRAINT signal_pkey PRIMARY KEY (signal_id)
) WITH (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX signal_open_idx ON paws_crisis.signal (subject_no, source, twin) WHERE state OPERATOR(pg_catalog.=) 1;
CREATE INDEX signal_expires_at_idx ON paws_crisis.signal (expires_at) WHERE state OPERATOR(pg_catalog.=) 1;
CREATE INDEX signal_subject_no_idx ON paws_crisis.signal (subject_no);
CREATE INDEX signal_ended_at_idx ON paws_crisis.signal (ended_at) WHERE ended_at IS NOT NULL;
REVOKE ALL ON TABLE paws_crisis.signal FROM PUBLIC;
COMMENT ON TABLE paws_crisis.signal IS 'That a person is in a crisis: raised by an application, open until it is resolved or expires.';
COMMENT ON COLUMN paws_crisis.signal.twin IS '0; random where another transaction was just raising the same for longer than one waits.';
COMMENT ON COLUMN paws_crisis.signal.expires_at IS 'When it ends by itself.';
COMMENT ON COLUMN paws_crisis.signal.source IS 'Code of the closed vocabulary of sources.';
COMMENT ON COLUMN paws_crisis.signal.severity IS 'Code of the closed vocabulary of severities; only ever rises.';
COMMENT ON COLUMN paws_crisis.signal.state IS '1: open, 2: resolved, 3: expired.';

-- Work for responders. Negative ids: no job of the ordinary queue has one.
CREATE TABLE paws_crisis.item (
	id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT BY -1 MAXVALUE -1 START WITH -1),
	subject_no bigint,
	fence bigint NOT NULL,
	submitted_at timestamptz NOT NULL,
	ended_at timestamptz,
	available_at timestamptz,
	deadline timestamptz,
	claimed_at timestamptz,
	claimed_until timestamptz,
	escalated_at timestamptz,
	signal_id uuid,
	key uuid,
	level smallint NOT NULL CHECK (level OPERATOR(pg_catalog.>=) 9 AND level OPERATOR(pg_catalog.<=) 10),
	class smallint NOT NULL CHECK (class OPERATOR(pg_catalog.>=) 1 AND class OPERATOR(pg_catalog.<=) 2),
	state smallint NOT NULL,
	attempts smallint NOT NULL DEFAULT 0,
	reason smallint NOT NULL DEFAULT 0,
	topic paws_registry.code_name NOT NULL,
	seal paws_registry.seal,
	envelope paws_registry.envelope,
	CONSTRAINT item_pkey PRIMARY KEY (id)
) WITH (vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE paws_crisis.item ALTER COLUMN envelope SET STORAGE EXTERNAL;
CREATE INDEX item_open_idx ON paws_crisis.item (topic, level, id) WHERE state OPERATOR(pg_catalog.=) 2;
CREATE UNIQUE INDEX item_key_idx ON paws_crisis.item (topic, key) WHERE key IS NOT NULL;
CREATE INDEX item_signal_id_idx ON paws_crisis.item (signal_id) WHERE signal_id IS NOT NULL AND state OPERATOR(pg_catalog.=) 2;
CREATE INDEX item_subject_no_idx ON paws_crisis.item (subject_no);
CREATE INDEX item_ended_at_idx ON paws_crisis.item (ended_at) WHERE ended_at IS NOT NULL;
REVOKE ALL ON TABLE paws_crisis.item FROM PUBLIC;
COMMENT ON TABLE paws_crisis.item IS 'Work for responders, of crisis signals and of submit with a class of the crisis lane; claim reads it first.';
COMMENT ON COLUMN paws_crisis.item.fence IS 'Of the last claim; rises with each.';
COMMENT ON COLUMN paws_crisis.item.available_at IS 'Nobody claims it before; NULL: at once.';
COMMENT ON COLUMN paws_crisis.item.deadline IS 'If nobody claimed it by then it is escalated.';
COMMENT ON COLUMN paws_crisis.item.claimed_until IS 'A responder has it until then; NULL: nobody.';
COMMENT ON COLUMN paws_crisis.item.escalated_at IS 'Nobody claimed it in time, or it failed again and again; NULL: neither.';
COMMENT ON COLUMN paws_crisis.item.signal_id IS 'The signal that it is about; NULL: it was submitted.';
COMMENT ON COLUMN paws_crisis.item.key IS 'Keyed digest of its idempotency key, if it has one.';
COMMENT ON COLUMN paws_crisis.item.state IS 'As of jobs: 2 waits or runs, 4 completed, 5 cancelled.';
COMMENT ON COLUMN paws_crisis.item.seal IS 'MAC over the envelope''s commitment and revision 0; NULL if it was written without keys.';
COMMENT ON COLUMN paws_crisis.item.envelope IS 'The sealed payload of one that was submitted, until it ends.';

-- Which topics there are, for a lane that does not read the ordinary queue's.
CREATE TABLE paws_crisis.topic (
	name paws_registry.code_name NOT NULL,
	CONSTRAINT topic_pkey PRIMARY KEY (name)
);
REVOKE ALL ON TABLE paws_crisis.topic FROM PUBLIC;
COMMENT ON TABLE paws_crisis.topic IS 'Names of topics; crisis_response is known without.';

SELECT pg_catalog.pg_extension_config_dump('paws_crisis.signal', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.item', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.item_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.topic', '');
