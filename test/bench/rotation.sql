-- What the measurement of rotations works on.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;

CREATE SCHEMA bench;

SELECT paws_sync.define_collection('bench_layered', 'interactive', sealing => 'layered');
SELECT paws_sync.define_collection('bench_safety', 'safety');
SELECT paws_sync.set_tier_policy('trial', 1000000000, 1000000000, 1000000000000, 1000000000000);

CREATE TABLE bench.person (n integer PRIMARY KEY, device paws_sync.device NOT NULL);
-- every operation that was accepted, in the transaction of its push
CREATE TABLE bench.written (n integer, doc_id uuid, digest text);
CREATE TABLE bench.stopped (stopped boolean);
INSERT INTO bench.stopped VALUES (false);
-- numbers of what went wrong; a sequence, so that nothing is rolled back
CREATE SEQUENCE bench.failed_reads MINVALUE 0;
CREATE SEQUENCE bench.failed_writes MINVALUE 0;
CREATE SEQUENCE bench.lost MINVALUE 0;
SELECT nextval('bench.failed_reads'), nextval('bench.failed_writes'), nextval('bench.lost');

-- 287 bytes, as in the other measurements, a hundred of them random, so that they compress a little.
CREATE FUNCTION bench.payload() RETURNS bytea LANGUAGE sql AS $$
	SELECT convert_to(rpad(md5(random()::text) || md5(random()::text) || md5(random()::text), 287, 'm'), 'UTF8')
$$;

CREATE FUNCTION bench.push(who integer, how_many integer, lane text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	ids uuid[] := ARRAY(SELECT gen_random_uuid() FROM generate_series(1, how_many));
	payloads bytea[] := ARRAY(SELECT bench.payload() FROM generate_series(1, how_many));
	good bigint;
BEGIN
	SELECT count(*) FILTER (WHERE outcome IN ('accepted', 'applied')) INTO good
	FROM bench.person p, paws_sync.push_many(p.device, ids, array_fill(lane, ARRAY[how_many]), ids,
		array_fill(0::bigint, ARRAY[how_many]), payloads)
	WHERE p.n = who;
	IF good <> how_many THEN
		RAISE 'a push was not accepted';
	END IF;
	INSERT INTO bench.written SELECT who, d, md5(p) FROM unnest(ids, payloads) u (d, p);
END $$;

CREATE PROCEDURE bench.fill(first integer, last integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN first .. last LOOP
		INSERT INTO bench.person SELECT i, paws_sync.register_device(paws_sync.subject_for('bench' || i), 'ios');
		PERFORM bench.push(i, 1, 'bench_layered');
		IF i % 10 = 0 THEN
			PERFORM bench.push(i, 1, 'bench_safety');
		END IF;
		IF i % 100 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END $$;

-- One step of a reader or a writer. What fails is counted, and does not end the run.
CREATE PROCEDURE bench.step(who integer, writes boolean) LANGUAGE plpgsql AS $$
DECLARE
	bad bigint;
BEGIN
	IF (SELECT stopped FROM bench.stopped) THEN
		RAISE 'the load is stopped';
	END IF;
	BEGIN
		IF writes THEN
			PERFORM bench.push(who, 1, CASE WHEN who % 10 = 0 THEN 'bench_safety' ELSE 'bench_layered' END);
		ELSE
			SELECT count(*) FILTER (WHERE r.kind = 'unreadable') + (count(*) FILTER (WHERE r.kind = 'change') = 0)::int INTO bad
			FROM bench.person p, paws_sync.pull(p.device) r WHERE p.n = who;
			IF bad > 0 THEN
				RAISE 'unreadable';
			END IF;
		END IF;
	EXCEPTION WHEN OTHERS THEN
		RAISE LOG 'bench: % %', SQLSTATE, SQLERRM;
		PERFORM nextval(CASE WHEN writes THEN 'bench.failed_writes' ELSE 'bench.failed_reads' END);
	END;
END $$;

-- Every accepted operation, with the very bytes.
CREATE PROCEDURE bench.check(first integer, last integer) LANGUAGE plpgsql AS $$
DECLARE
	missing bigint;
BEGIN
	FOR i IN first .. last LOOP
		SELECT count(*) INTO missing FROM bench.written w WHERE w.n = i AND NOT EXISTS (
			SELECT FROM bench.person p, paws_sync.pull(p.device) r
			WHERE p.n = i AND r.kind = 'change' AND r.doc_id = w.doc_id AND md5(r.payload) = w.digest);
		IF missing > 0 THEN
			PERFORM setval('bench.lost', (SELECT last_value FROM bench.lost) + missing);
		END IF;
		IF i % 100 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END $$;
