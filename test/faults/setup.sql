-- What the fault matrix works on: a role that crisis clients connect as, collections, ordinary devices, a bare table.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;

CREATE EXTENSION dblink;
CREATE SCHEMA faults;
CREATE ROLE crisis_client LOGIN IN ROLE crisis_service;
CREATE ROLE ordinary_client LOGIN;
SELECT paws_sync.grant_profile('crisis_client', 'crisis');
SELECT paws_sync.grant_profile('ordinary_client', 'app');
GRANT USAGE ON SCHEMA faults TO crisis_client, ordinary_client;

SELECT paws_sync.define_collection('faults_safety', 'safety');
SELECT paws_sync.define_collection('faults_interactive', 'interactive');
SELECT paws_sync.define_collection('faults_background', 'background');

-- The limits are for people; what loads a server would run into them at once.
SELECT paws_sync.set_tier_policy(tier, ops_per_second => 1000000000, ops_burst => 1000000000,
	bytes_per_second => 1000000000000, bytes_burst => 1000000000000)
FROM (VALUES ('grace_period'::paws_sync.tier), ('premium'), ('basic'), ('trial')) t (tier);

CREATE TABLE faults.bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload text NOT NULL);
CREATE TABLE faults.bulk (id bigint, payload text);
GRANT INSERT ON faults.bare TO crisis_client;

-- Subjects of a row of the matrix, each with a device that pushes, one that waits and one that reads at the end.
CREATE TABLE faults.subject (name text PRIMARY KEY, subject paws_sync.subject NOT NULL, device paws_sync.device NOT NULL,
	consumer paws_sync.device NOT NULL, verifier paws_sync.device NOT NULL, n integer NOT NULL);
GRANT SELECT ON faults.subject TO crisis_client, ordinary_client;

CREATE FUNCTION faults.make(row_name text, count integer, tier paws_sync.tier DEFAULT 'basic') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM paws_sync.set_entitlement(paws_sync.subject_for(row_name || n), $3) FROM generate_series(1, $2) n;
	RETURN QUERY
	WITH made AS (
		INSERT INTO faults.subject
		SELECT row_name || '.' || n, s, paws_sync.register_device(s, 'ios'), paws_sync.register_device(s, 'web'),
			paws_sync.register_device(s, 'android'), n
		FROM generate_series(1, $2) n, paws_sync.subject_for(row_name || n) s
		RETURNING subject.n, device, consumer, verifier)
	SELECT format('%s %s %s', device, consumer, verifier) FROM made ORDER BY n;
END
$$;

-- Who pushes ordinary operations, 200 subjects of all tiers.
CREATE TABLE faults.ordinary (n integer PRIMARY KEY, subject paws_sync.subject NOT NULL, device paws_sync.device NOT NULL);
GRANT SELECT ON faults.ordinary TO ordinary_client;
SELECT count(paws_sync.set_entitlement(paws_sync.subject_for('ordinary' || n),
	(ARRAY['premium', 'basic', 'grace_period', 'trial'])[1 + n % 4]::paws_sync.tier)) FROM generate_series(1, 200) n;
INSERT INTO faults.ordinary
SELECT n, paws_sync.subject_for('ordinary' || n), paws_sync.register_device(paws_sync.subject_for('ordinary' || n), 'ios')
FROM generate_series(1, 200) n;

CREATE FUNCTION faults.push_ordinary(device paws_sync.device, collection text, count integer) RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT count(*) FROM paws_sync.push_many($1, (SELECT array_agg(gen_random_uuid()) FROM generate_series(1, $3)),
		array_fill($2, ARRAY[$3]), (SELECT array_agg(gen_random_uuid()) FROM generate_series(1, $3)),
		array_fill(0::bigint, ARRAY[$3]), array_fill(convert_to(repeat('o', 287), 'UTF8'), ARRAY[$3])) p
	WHERE p.outcome = 'accepted'
$$;

-- Every table of the domains that the crisis lane must not need, as far as they are there.
CREATE VIEW faults.foreign_table AS
	SELECT n.nspname AS schema, c.relname AS name, format('%I.%I', n.nspname, c.relname) AS shown, c.oid
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('paws_queue', 'paws_care', 'paws_vault', 'paws_billing', 'paws_audit', 'paws_billing_audit');

-- Whatever a table holds becomes nonsense of the same type; its rules are dropped first.
CREATE PROCEDURE faults.corrupt(wanted text[]) LANGUAGE plpgsql AS $$
DECLARE
	t record;
	assignments text;
	rule record;
	counted bigint;
BEGIN
	-- in one go, or workers and this wait for one another; whoever does gives way first
	SET LOCAL deadlock_timeout = '10s';
	EXECUTE (SELECT 'LOCK TABLE ' || string_agg(f.shown, ', ' ORDER BY f.shown) FROM faults.foreign_table f WHERE f.schema = ANY ($1));
	FOR t IN SELECT * FROM faults.foreign_table f WHERE f.schema = ANY ($1) LOOP
		EXECUTE format('ALTER TABLE %s DISABLE TRIGGER ALL', t.shown);
		FOR rule IN SELECT conname FROM pg_constraint WHERE conrelid = t.oid AND contype = 'c' LOOP
			EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', t.shown, rule.conname);
		END LOOP;
		FOR rule IN SELECT a.attname, format_type(b.oid, -1) AS base, a.attnum = ANY (coalesce(k.keys, '{}')) AS in_key
			FROM pg_attribute a JOIN pg_type d ON d.oid = a.atttypid JOIN pg_type b ON b.oid = CASE WHEN d.typbasetype <> 0 THEN d.typbasetype ELSE d.oid END
			LEFT JOIN LATERAL (SELECT array_agg(c) AS keys FROM pg_index i, unnest(i.indkey) c WHERE i.indrelid = t.oid AND i.indisunique) k ON true
			WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' LOOP
			assignments := CASE rule.base
				WHEN 'smallint' THEN '(random() * 60000 - 30000)::integer::smallint'
				WHEN 'integer' THEN '(random() * 4e9 - 2e9)::bigint::integer'
				WHEN 'bigint' THEN '(random() * 1.8e19 - 9e18)::numeric::bigint'
				WHEN 'boolean' THEN format('NOT %I', rule.attname)
				WHEN 'uuid' THEN 'gen_random_uuid()'
				WHEN 'bytea' THEN format('convert_to(repeat(md5(random()::text), 1 + length(%I) / 32), ''UTF8'')', rule.attname)
				WHEN 'timestamp with time zone' THEN '''-infinity''::timestamptz'
				WHEN 'text' THEN 'md5(random()::text)' END;
			CONTINUE WHEN assignments IS NULL;
			BEGIN
				EXECUTE format('UPDATE %s SET %I = %s', t.shown, rule.attname, assignments);
				GET DIAGNOSTICS counted = ROW_COUNT;
			EXCEPTION WHEN check_violation OR unique_violation OR not_null_violation OR generated_always OR numeric_value_out_of_range THEN
				NULL;	-- a domain's form, or a key of few values
			END;
		END LOOP;
	END LOOP;
END
$$;

-- How long queued work waits when one of the crisis workers is terminated as it could begin: milliseconds, one a line.
CREATE PROCEDURE faults.takeover(device text, rounds integer) LANGUAGE plpgsql AS $$
DECLARE
	socket text := (SELECT format('dbname=paws user=postgres host=%s port=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port')));
	began timestamptz;
	subject bigint := (SELECT d.subject_no FROM paws_registry.device d WHERE d.device OPERATOR(paws_sync.=) $1::paws_sync.device);
	answer text;
BEGIN
	PERFORM dblink_connect('holder', socket), dblink_connect('pusher', socket);
	FOR i IN 1 .. rounds LOOP
		PERFORM dblink_exec('holder', 'BEGIN');
		PERFORM * FROM dblink('holder', format('SELECT 1 FROM paws_crisis.counter WHERE subject_no = %s FOR UPDATE', subject)) h (one integer);
		SELECT o INTO answer FROM dblink('pusher', format(
			'SELECT outcome || coalesce(receipt::text, '''') FROM paws_sync.push_crisis(%L, %L)', device,
			jsonb_build_array(jsonb_build_object('op_id', gen_random_uuid(), 'doc_id', gen_random_uuid(), 'collection', 'faults_safety',
				'base_revision', 0, 'payload', 'e30=')))) p (o text);
		IF answer <> 'accepted' THEN
			RAISE EXCEPTION 'the operation was not queued: %', answer;
		END IF;
		PERFORM pg_sleep(0.02 + random() * 0.1);
		PERFORM pg_terminate_backend(w.pid) FROM (SELECT pid FROM paws_sync.pg_stat_paws_sync_workers
			WHERE kind = 'crisis' AND pid IS NOT NULL ORDER BY random() LIMIT 1) w;
		PERFORM dblink_exec('holder', 'COMMIT');
		began := clock_timestamp();
		LOOP
			COMMIT;
			EXIT WHEN NOT EXISTS (SELECT FROM paws_crisis.operation);
			IF clock_timestamp() - began > '10 s' THEN
				RAISE EXCEPTION 'nobody took over';
			END IF;
			PERFORM pg_sleep(0.0005);
		END LOOP;
		RAISE NOTICE 'takeover %', round(extract(epoch FROM clock_timestamp() - began) * 1000, 2);
		PERFORM pg_sleep(0.05);
	END LOOP;
	PERFORM dblink_disconnect('holder'), dblink_disconnect('pusher');
END
$$;

-- From the commit of raise_crisis to a responder that waits in claim_wait: milliseconds, one a line.
CREATE PROCEDURE faults.respond(row_name text, rounds integer) LANGUAGE plpgsql AS $$
DECLARE
	socket text := (SELECT format('dbname=paws user=postgres host=%s port=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port')));
	committed timestamptz;
	told timestamptz;
	who paws_sync.subject;
	raised uuid;
	item record;
BEGIN
	PERFORM dblink_connect('raiser', socket), dblink_connect('responder', socket);
	FOR i IN 1 .. rounds LOOP
		SELECT subject INTO who FROM faults.subject s WHERE s.name = row_name || '.' || 1 + i % 16;
		PERFORM dblink_send_query('responder', 'SELECT job, fence, subject::text, clock_timestamp() FROM paws_sync.claim_wait(ARRAY[''crisis_response''])');
		PERFORM pg_sleep(0.02 + random() * 0.02);
		SELECT s INTO raised FROM dblink('raiser', format('SELECT paws_sync.raise_crisis(%L, ''self_report'', ''imminent'')', who)) r (s uuid);
		committed := clock_timestamp();
		SELECT * INTO item FROM dblink_get_result('responder') r (job bigint, fence bigint, subject text, at timestamptz);
		told := clock_timestamp();
		PERFORM * FROM dblink_get_result('responder') r (job bigint, fence bigint, subject text, at timestamptz);
		IF item.job IS NULL OR item.subject <> who::text THEN
			RAISE EXCEPTION 'the responder did not get the item';
		END IF;
		RAISE NOTICE 'claimable %', round(extract(epoch FROM greatest(told - committed, '0')) * 1000, 2);
		PERFORM * FROM dblink('responder', format('SELECT paws_sync.complete(%s, %s)::text', item.job, item.fence)) c (answer text);
		PERFORM * FROM dblink('raiser', format('SELECT paws_sync.resolve_crisis(%L)', raised)) r (done boolean);
		COMMIT;
	END LOOP;
	PERFORM dblink_disconnect('raiser'), dblink_disconnect('responder');
END
$$;
