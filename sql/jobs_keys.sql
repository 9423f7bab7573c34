-- Keys: the same key is the same job; an ordering key is worked in order and one at a time.
\set SHOW_CONTEXT never
SELECT paws_sync.define_topic('invoices'), paws_sync.define_topic('imports');
SELECT paws_sync.define_topic('chains', backoff => '1 ms', max_backoff => '1 ms', max_attempts => 2);

-- a repeat answers with what is known of the first
SELECT job AS first FROM paws_sync.submit('invoices', 'one', key => 'invoice 1') \gset
SELECT job = :first AS same, outcome, state, result FROM paws_sync.submit('invoices', 'another payload', key => 'invoice 1');
SELECT job, fence FROM paws_sync.claim('{invoices}', 10) \gset
SELECT job = :first AS same, outcome, state FROM paws_sync.submit('invoices', 'one', key => 'invoice 1');
SELECT paws_sync.complete(:job, :fence, 'number 4711');
SELECT job = :first AS same, outcome, state, t.text(result) AS result FROM paws_sync.submit('invoices', 'one', key => 'invoice 1');
SELECT count(*) FROM paws_sync.claim('{invoices}', 10);
-- of another topic it is another key; so is one with a space more
SELECT outcome FROM paws_sync.submit('imports', 'one', key => 'invoice 1');
SELECT outcome FROM paws_sync.submit('invoices', 'one', key => 'invoice 1 ');
SELECT outcome FROM paws_sync.submit('invoices', 'one', key => 'Invoice 1');
SELECT count(paws_sync.cancel(job)) FROM paws_sync.claim('{invoices,imports}', 10);
-- a cancelled one stays known
SELECT outcome, state, result FROM paws_sync.submit('invoices', 'one', key => 'invoice 1 ');
-- within one call
SELECT item, outcome, state, job IS NOT NULL AS known FROM paws_sync.submit_many('invoices', '{a,b,c,d}', keys => '{k1,k2,k1,NULL}') ORDER BY item;
SELECT t.text(payload) AS payload, paws_sync.complete(job, fence) FROM paws_sync.claim('{invoices}', 10) ORDER BY job;
-- a rollback frees the key
BEGIN;
SELECT outcome FROM paws_sync.submit('invoices', 'x', key => 'rolled back');
ROLLBACK;
SELECT outcome FROM paws_sync.submit('invoices', 'x', key => 'rolled back');
SELECT count(paws_sync.complete(job, fence)) FROM paws_sync.claim('{invoices}', 10);
-- keys are kept as digests alone; must be none
SELECT count(*) FROM paws_queue.job_key k WHERE k::text ~ 'invoice' OR k::text ~ encode('invoice', 'hex');

-- ordering: one at a time, in order, whatever level
SELECT count(*) FROM paws_sync.submit_many('chains', '{1,2,3}', ordering_keys => '{a,a,a}');
SELECT outcome FROM paws_sync.submit('chains', '4', class => 'control', ordering_key => 'a');
SELECT count(*) FROM paws_sync.submit_many('chains', '{b1,b2}', ordering_keys => '{b,b}');
SELECT outcome FROM paws_sync.submit('chains', 'free');
CREATE TEMP TABLE claimed AS SELECT * FROM paws_sync.claim('{chains}', 10);
SELECT t.text(payload) AS payload FROM claimed ORDER BY 1;
SELECT count(*) FROM paws_sync.claim('{chains}', 10);
SELECT t.text(payload) AS payload, paws_sync.complete(job, fence) FROM claimed ORDER BY 1;
CREATE PROCEDURE pg_temp.rest() LANGUAGE plpgsql AS
$$
DECLARE
	c record;
BEGIN
	FOR i IN 1 .. 1000 LOOP
		FOR c IN SELECT * FROM paws_sync.claim('{chains}', 10) ORDER BY t.text(payload) LOOP
			RAISE NOTICE '% %', t.text(c.payload), paws_sync.complete(c.job, c.fence);
		END LOOP;
		COMMIT;
		EXIT WHEN NOT EXISTS (SELECT FROM paws_queue.job j JOIN paws_queue.topic t USING (topic_no) WHERE t.name = 'chains');
		PERFORM pg_sleep(0.002);
	END LOOP;
END
$$;
CALL pg_temp.rest();
DROP TABLE claimed;

-- a job that waits for its retry holds back those behind it
SELECT count(*) FROM paws_sync.submit_many('chains', '{1,2}', ordering_keys => '{c,c}');
SELECT job, fence FROM paws_sync.claim('{chains}', 10) \gset
SELECT paws_sync.fail(:job, :fence, '1 hour');
SELECT count(*) FROM paws_sync.claim('{chains}', 10);
-- until it is out of the way
SELECT paws_sync.cancel(:job);
CALL pg_temp.rest();
-- a dead one is
SELECT count(*) FROM paws_sync.submit_many('chains', '{1,2}', ordering_keys => '{d,d}');
SELECT job, fence FROM paws_sync.claim('{chains}', 10) \gset
SELECT paws_sync.fail(:job, :fence, '0');
CALL t.wait($$ (SELECT state = 'available' FROM paws_sync.job_status($$ || :job || $$)) $$);
SELECT job, fence, attempt FROM paws_sync.claim('{chains}', 10) \gset
SELECT :attempt AS attempt, paws_sync.fail(:job, :fence, '0');
CALL pg_temp.rest();
SELECT paws_sync.redrive('chains');
CALL pg_temp.rest();

-- of one flow only so many at once
SELECT paws_sync.define_topic('imports', in_flight_per_flow => 2);
SELECT paws_sync.subject_for('jobs_keys 1') AS one, paws_sync.subject_for('jobs_keys 2') AS two \gset
SELECT count(*) FROM paws_sync.submit_many('imports', ARRAY(SELECT convert_to(n::text, 'UTF8') FROM generate_series(1, 20) n),
	subjects => ARRAY(SELECT CASE WHEN n <= 17 THEN :'one' ELSE :'two' END FROM generate_series(1, 20) n)::paws_sync.subject[]);
CREATE TEMP TABLE claimed AS SELECT * FROM paws_sync.claim('{imports}', 100);
SELECT subject OPERATOR(paws_sync.=) :'one' AS one, count(*) FROM claimed GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM paws_sync.claim('{imports}', 100);
SELECT count(*) FROM paws_sync.complete_many((SELECT array_agg(job) FROM claimed), (SELECT array_agg(fence) FROM claimed)) WHERE outcome = 'completed';
CREATE PROCEDURE pg_temp.drain() LANGUAGE plpgsql AS
$$
DECLARE
	c record;
	most bigint := 0;
	total bigint := 0;
	n bigint;
BEGIN
	FOR i IN 1 .. 1000 LOOP
		n := 0;
		FOR c IN SELECT *, count(*) OVER (PARTITION BY subject) AS together FROM paws_sync.claim('{imports}', 100) LOOP
			n := n + 1;
			most := greatest(most, c.together);
			PERFORM paws_sync.complete(c.job, c.fence);
		END LOOP;
		COMMIT;
		total := total + n;
		EXIT WHEN NOT EXISTS (SELECT FROM paws_queue.job j JOIN paws_queue.topic t USING (topic_no) WHERE t.name = 'imports');
		PERFORM pg_sleep(0.002);
	END LOOP;
	RAISE NOTICE '% in all, few enough at once: %', total, most <= 3;
END
$$;
CALL pg_temp.drain();

-- if nothing is said, nobody has more than ten workers, and those who wait get the others
SELECT paws_sync.define_topic('usual');
SELECT count(*) FROM paws_sync.submit_many('usual', ARRAY(SELECT convert_to(n::text, 'UTF8') FROM generate_series(1, 60) n),
	subjects => ARRAY(SELECT CASE WHEN n <= 50 THEN :'one' WHEN n <= 55 THEN :'two' END FROM generate_series(1, 60) n)::paws_sync.subject[]);
TRUNCATE claimed;
INSERT INTO claimed SELECT * FROM paws_sync.claim('{usual}', 100);
SELECT CASE subject::text WHEN :'one' THEN 'one' WHEN :'two' THEN 'two' END AS subject, count(*) FROM claimed GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM paws_sync.claim('{usual}', 100);
-- each that ends, in whatever way, makes room for the next
SELECT paws_sync.release(job, fence) FROM claimed WHERE subject::text = :'one' ORDER BY job LIMIT 1;
SELECT count(*) FROM paws_sync.claim('{usual}', 100);
SELECT count(*) FROM claimed c, paws_sync.complete(c.job, c.fence) AS outcome WHERE subject IS NULL OR subject::text = :'two';
SELECT count(*) FROM paws_sync.claim('{usual}', 100);
SELECT count(*) FROM (SELECT paws_sync.complete(job, fence) FROM claimed WHERE subject::text = :'one' ORDER BY job DESC LIMIT 4 OFFSET 0) AS c;
SELECT count(*) FROM paws_sync.claim('{usual}', 100);
SELECT count(paws_sync.cancel(id)) FROM paws_queue.job j JOIN paws_queue.topic t USING (topic_no) WHERE t.name = 'usual';

-- a repeat is answered, and costs nothing, whatever the limits say
SELECT paws_sync.subject_for('jobs_keys limited') AS limited \gset
SELECT paws_sync.set_tier_policy('trial', ops_per_second => 1, ops_burst => 3, max_payload => 100);
SELECT outcome FROM paws_sync.submit('chains', 'x', subject => :'limited', key => 'once');
SELECT string_agg(DISTINCT outcome::text, ' ') AS repeats FROM generate_series(1, 20) n, LATERAL paws_sync.submit('chains', convert_to('x' || n, 'UTF8'), subject => :'limited', key => 'once');
SELECT outcome FROM paws_sync.submit('chains', convert_to(repeat('x', 200), 'UTF8'), subject => :'limited', key => 'once');
SELECT outcome, code FROM paws_sync.submit('chains', convert_to(repeat('x', 200), 'UTF8'), subject => :'limited', key => 'another');
SELECT bool_or(outcome = 'limited') AS others_are_limited FROM generate_series(1, 30) n, LATERAL paws_sync.submit('chains', 'y', subject => :'limited', key => n::text);
SELECT outcome FROM paws_sync.submit('chains', 'x', subject => :'limited', key => 'once');
DELETE FROM paws_queue.tier_policy WHERE NOT shipped;

-- what of a person is far off, or of another topic, hides nothing that is ready
SELECT paws_sync.define_topic('single', in_flight_per_flow => 1), paws_sync.define_topic('single_other');
SELECT paws_sync.subject_for('jobs_keys single') AS single \gset
SELECT outcome FROM paws_sync.submit('single', 'a', subject => :'single');
SELECT outcome FROM paws_sync.submit('single', 'b', subject => :'single');
SELECT count(*) FROM paws_sync.submit_many('single', ARRAY(SELECT 'later'::bytea FROM generate_series(1, 200)),
	subjects => ARRAY(SELECT :'single'::paws_sync.subject FROM generate_series(1, 200)), not_before => ARRAY(SELECT now() + '1 day'::interval FROM generate_series(1, 200)));
SELECT count(*) FROM paws_sync.submit_many('single_other', ARRAY(SELECT 'other'::bytea FROM generate_series(1, 200)),
	subjects => ARRAY(SELECT :'single'::paws_sync.subject FROM generate_series(1, 200)));
SELECT outcome FROM paws_sync.submit('single', 'c', subject => :'single');
SELECT t.text(payload) AS payload, paws_sync.complete(job, fence) FROM paws_sync.claim('{single}', 10);
SELECT t.text(payload) AS payload, paws_sync.complete(job, fence) FROM paws_sync.claim('{single}', 10);
SELECT t.text(payload) AS payload, paws_sync.complete(job, fence) FROM paws_sync.claim('{single}', 10);
SELECT count(paws_sync.cancel(j.id)) FROM paws_queue.job j JOIN paws_queue.topic t USING (topic_no) WHERE t.name IN ('single', 'single_other');

-- every index has an entry for each row that it should have, and in its order
SET client_min_messages = warning;
CREATE EXTENSION amcheck;
SELECT i.indexrelid::regclass AS index, public.bt_index_check(i.indexrelid, true) FROM pg_index i WHERE i.indrelid IN ('paws_queue.job'::regclass,
	'paws_queue.job_key'::regclass, 'paws_queue.operation'::regclass, 'paws_care.document'::regclass, 'paws_care.feed'::regclass) ORDER BY 1::text;
DROP EXTENSION amcheck;
RESET client_min_messages;
