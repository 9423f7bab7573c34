-- What the measurements work on: bare tables of the same row size, and 1100 devices of 1100 subjects.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;

CREATE SCHEMA bench;

CREATE TABLE bench.bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload bytea NOT NULL);
CREATE TABLE bench.bare_queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload bytea NOT NULL);

SELECT paws_sync.define_collection('bench_interactive', 'interactive');
SELECT paws_sync.define_collection('bench_background', 'background');
SELECT paws_sync.define_collection('bench_safety', 'safety');

-- The limits are for people; a machine that measures would run into them at once.
SELECT paws_sync.set_tier_policy(tier, ops_per_second => 1000000000, ops_burst => 1000000000,
	bytes_per_second => 1000000000000, bytes_burst => 1000000000000)
FROM (VALUES ('premium'::paws_sync.tier), ('basic')) t (tier);

CREATE TABLE bench.device (n integer PRIMARY KEY, device paws_sync.device NOT NULL, other paws_sync.device NOT NULL);

SELECT count(paws_sync.set_entitlement(paws_sync.subject_for('bench' || n),
	CASE WHEN n <= 1000 THEN 'premium' ELSE 'basic' END::paws_sync.tier))
FROM generate_series(1, 1100) n;

INSERT INTO bench.device
SELECT n, paws_sync.register_device(paws_sync.subject_for('bench' || n), 'ios'),
	paws_sync.register_device(paws_sync.subject_for('bench' || n), 'web')
FROM generate_series(1, 1100) n;

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
