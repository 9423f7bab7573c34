-- raise: whose waiting work is served before its level.

CREATE TABLE paws_queue.raised (
	subject_no bigint NOT NULL,
	until timestamptz NOT NULL,
	level smallint NOT NULL CHECK (level OPERATOR(pg_catalog.>=) 1 AND level OPERATOR(pg_catalog.<=) 8),
	CONSTRAINT raised_pkey PRIMARY KEY (subject_no)
);
REVOKE ALL ON TABLE paws_queue.raised FROM PUBLIC;
COMMENT ON TABLE paws_queue.raised IS 'Subjects in a crisis, as the scheduler carried it over: what waits for them is served at this level, whatever its own is.';
COMMENT ON COLUMN paws_queue.raised.until IS 'When their crisis signals have expired.';
COMMENT ON COLUMN paws_queue.raised.level IS 'The effective level of their waiting work; base levels stay as they are.';

SELECT pg_catalog.pg_extension_config_dump('paws_queue.raised', '');
