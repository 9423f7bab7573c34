-- canary: the crisis lane's test of itself. Nothing here is about a person.

CREATE TABLE paws_crisis.canary_device (
	role smallint PRIMARY KEY CHECK (role OPERATOR(pg_catalog.>=) 1 AND role OPERATOR(pg_catalog.<=) 2),
	device paws_sync.device NOT NULL
);
REVOKE ALL ON TABLE paws_crisis.canary_device FROM PUBLIC;
COMMENT ON TABLE paws_crisis.canary_device IS 'The two devices of the canary''s own subject.';
COMMENT ON COLUMN paws_crisis.canary_device.role IS '1: pushes; 2: is waited with.';

CREATE TABLE paws_crisis.canary (
	hour timestamptz PRIMARY KEY,
	measured bigint NOT NULL,
	there bigint NOT NULL,
	worst bigint NOT NULL,
	last_at timestamptz NOT NULL,
	rounds integer NOT NULL,
	failed integer NOT NULL,
	running boolean NOT NULL
) WITH (fillfactor = 50);
REVOKE ALL ON TABLE paws_crisis.canary FROM PUBLIC;
COMMENT ON TABLE paws_crisis.canary IS 'For how much of each hour the crisis lane was there, by its canary; kept for 31 days.';
COMMENT ON COLUMN paws_crisis.canary.hour IS 'When the hour began.';
COMMENT ON COLUMN paws_crisis.canary.measured IS 'Microseconds of it that are accounted for: while the canary was on, and while the server was down.';
COMMENT ON COLUMN paws_crisis.canary.there IS 'Microseconds of these between two good rounds.';
COMMENT ON COLUMN paws_crisis.canary.worst IS 'The longest round, in microseconds.';
COMMENT ON COLUMN paws_crisis.canary.last_at IS 'When this row was written.';
COMMENT ON COLUMN paws_crisis.canary.running IS 'False: the canary was turned off then, and nothing is accounted for until it is on again.';

SELECT pg_catalog.pg_extension_config_dump('paws_crisis.canary_device', '');
SELECT pg_catalog.pg_extension_config_dump('paws_crisis.canary', '');
