-- Dropping the extension leaves nothing; creating it again finds the workers ready.
SET client_min_messages = warning;
DROP SCHEMA t CASCADE;
CREATE FUNCTION pool_workers() RETURNS bigint LANGUAGE sql AS
$$ SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type ~ '^paws_sync pool' $$;
CREATE PROCEDURE wait_for_pool_workers(wanted bigint) LANGUAGE plpgsql AS
$$
BEGIN
	FOR i IN 1 .. 12000 LOOP
		COMMIT;
		EXIT WHEN pool_workers() = wanted;
		PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01);
	END LOOP;
END
$$;
SELECT pool_workers() = current_setting('paws_sync.pool_size')::bigint AS running;

DROP EXTENSION paws_sync;
SELECT nspname FROM pg_namespace WHERE nspname ~ '^paws_';
SELECT oid::regprocedure FROM pg_proc WHERE probin ~ 'paws_sync' OR proname ~ '^paws_';
SELECT oid::regtype FROM pg_type WHERE typname IN ('subject', 'device', 'context', 'cursor', 'level', 'tier', 'class', 'outcome');
SELECT castsource::regtype, casttarget::regtype FROM pg_cast WHERE oid >= 16384;
CALL wait_for_pool_workers(0);
SELECT pool_workers();

-- and back, with nothing of what was
CREATE EXTENSION paws_sync;
SELECT count(*) FROM paws_sync.collections;
SELECT paws_sync.define_collection('mood', 'interactive');
SELECT paws_sync.register_device(paws_sync.subject_for('uninstall'), 'ios') AS phone \gset
SELECT outcome FROM paws_sync.push(:'phone', jsonb_build_array(jsonb_build_object('op_id', gen_random_uuid(),
	'collection', 'mood', 'doc_id', gen_random_uuid(), 'base_revision', 0, 'payload', '')));
CALL wait_for_pool_workers(current_setting('paws_sync.pool_size')::bigint);
DO $$
BEGIN
	FOR i IN 1 .. 12000 LOOP
		COMMIT;
		EXIT WHEN NOT EXISTS (SELECT FROM paws_queue.operation);
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;
SELECT kind, outcome, revision FROM paws_sync.pull(:'phone');

-- in one transaction as well
BEGIN;
DROP EXTENSION paws_sync;
CREATE EXTENSION paws_sync;
ROLLBACK;
SELECT kind, outcome, revision FROM paws_sync.pull(:'phone');
DROP EXTENSION paws_sync;
DROP EXTENSION pgcrypto;
DROP FUNCTION pool_workers;
DROP PROCEDURE wait_for_pool_workers;
SELECT count(*) FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND refobjid >= 16384;
