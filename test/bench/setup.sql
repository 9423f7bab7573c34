-- What the measurements work on: bare tables of the same row size, and devices of 1300 subjects: 1000 in premium, then
-- 100 each in basic, in grace and in trial.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;

CREATE SCHEMA bench;

CREATE TABLE bench.bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload bytea NOT NULL);
CREATE TABLE bench.bare_queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload bytea NOT NULL);

SELECT paws_sync.define_collection('bench_interactive', 'interactive');
SELECT paws_sync.define_collection('bench_background', 'background');
SELECT paws_sync.define_collection('bench_safety', 'safety');
SELECT count(paws_sync.define_collection('mix_' || class, class::paws_sync.class))
FROM unnest(ARRAY['control', 'session', 'interactive', 'standard', 'bulk', 'background']) class;

-- The collection of an operation in the mixture, from a number up to 100.
CREATE FUNCTION bench.mix(integer) RETURNS text LANGUAGE sql IMMUTABLE
	RETURN 'mix_' || CASE WHEN $1 <= 5 THEN 'control' WHEN $1 <= 10 THEN 'session' WHEN $1 <= 40 THEN 'interactive'
		WHEN $1 <= 70 THEN 'standard' WHEN $1 <= 85 THEN 'bulk' ELSE 'background' END;

-- The limits are for people; a machine that measures would run into them at once.
SELECT paws_sync.set_tier_policy(tier, ops_per_second => 1000000000, ops_burst => 1000000000,
	bytes_per_second => 1000000000000, bytes_burst => 1000000000000)
FROM (VALUES ('grace_period'::paws_sync.tier), ('premium'), ('basic'), ('trial')) t (tier);

CREATE TABLE bench.device (n integer PRIMARY KEY, subject paws_sync.subject NOT NULL, device paws_sync.device NOT NULL, other paws_sync.device NOT NULL);

SELECT count(paws_sync.set_entitlement(paws_sync.subject_for('bench' || n),
	CASE WHEN n <= 1000 THEN 'premium' WHEN n <= 1100 THEN 'basic' WHEN n <= 1200 THEN 'grace_period' ELSE 'trial' END::paws_sync.tier))
FROM generate_series(1, 1300) n;

INSERT INTO bench.device
SELECT n, paws_sync.subject_for('bench' || n), paws_sync.register_device(paws_sync.subject_for('bench' || n), 'ios'),
	paws_sync.register_device(paws_sync.subject_for('bench' || n), 'web')
FROM generate_series(1, 1300) n;

CREATE FUNCTION bench.waiting() RETURNS bigint LANGUAGE sql VOLATILE
	RETURN (SELECT sum(depth) FROM paws_sync.pg_stat_paws_sync_lanes);

-- Waits for the workers to begin and then for the end of the queue; tells operations a second in between. A
-- procedure, because it must hold no snapshot while it waits.
CREATE PROCEDURE bench.drain(INOUT rate double precision DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
	before bigint := bench.waiting();
	began timestamptz;
	at_begin bigint;
	now_waiting bigint;
BEGIN
	LOOP
		now_waiting := bench.waiting();
		IF began IS NULL AND now_waiting < before THEN
			began := clock_timestamp();
			at_begin := now_waiting;
		END IF;
		EXIT WHEN now_waiting = 0;
		PERFORM pg_sleep(0.005);
		COMMIT;
	END LOOP;
	rate := at_begin / nullif(extract(epoch FROM clock_timestamp() - began), 0);
END
$$;

VACUUM ANALYZE bench.device;
CHECKPOINT;
