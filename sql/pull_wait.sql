-- pull_wait: pull that waits until there is something.
\set SHOW_CONTEXT never
SELECT paws_sync.register_device(paws_sync.subject_for('pull_wait'), 'ios') AS phone \gset
SELECT paws_sync.register_device(paws_sync.subject_for('pull_wait'), 'web') AS browser \gset

-- the time is up
SELECT count(*) FROM paws_sync.pull_wait(:'browser', timeout => '20 ms');
SELECT count(*) FROM paws_sync.pull_wait(:'browser', timeout => '0');

-- something is there
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(1, 'safety_plan', 1, 0, 'call Sam')));
SELECT lane, kind, collection, t.text(payload) AS payload FROM paws_sync.pull_wait(:'browser', timeout => '1 minute');
SELECT (array_agg(cursor))[count(*)] AS cursor FROM paws_sync.pull(:'browser') \gset

-- something comes while it waits: the worker applies it, and wakes us
CREATE FUNCTION pg_temp.wait_for_one(device paws_sync.device, place paws_sync.cursor)
	RETURNS TABLE (kind text, collection text, payload text) LANGUAGE plpgsql AS
$$
BEGIN
	FOR i IN 1 .. 120 LOOP
		RETURN QUERY SELECT p.kind, p.collection, t.text(p.payload) FROM paws_sync.pull_wait(device, place) p;
		EXIT WHEN FOUND;
	END LOOP;
END
$$;
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(2, 'mood', 2, 0, 'calm')));
SELECT * FROM pg_temp.wait_for_one(:'browser', :'cursor');

-- its own receipts count as something
SELECT (array_agg(cursor))[count(*)] AS cursor FROM paws_sync.pull(:'phone') \gset
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(3, 'mood', 3, 0, 'calm')));
SELECT kind, payload FROM pg_temp.wait_for_one(:'phone', :'cursor') WHERE kind = 'receipt';

-- one call waits no longer than the server allows: this would take some time
SELECT count(*) FROM paws_sync.pull_wait(paws_sync.register_device(paws_sync.subject_for('pull_wait 2'), 'ios'), timeout => '1000 years');

-- pages are those of pull
SELECT count(*) FROM paws_sync.pull_wait(:'browser', max_changes => 1);

-- in a transaction with one snapshot nothing new can appear
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM paws_sync.pull_wait(:'browser');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM paws_sync.pull_wait(:'browser');
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
BEGIN READ ONLY;
SELECT count(*) FROM paws_sync.pull_wait(:'browser');
COMMIT;

-- times that are none
SELECT count(*) FROM paws_sync.pull_wait(:'browser', timeout => '-1 second');
SELECT count(*) FROM paws_sync.pull_wait(:'browser', timeout => NULL);
CALL t.wait_applied();
