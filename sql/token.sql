-- The token types: text and binary form, checksum, kinds, comparison, indexes, copying. No token is ever shown.
\set VERBOSITY terse
SET search_path = paws_sync, public;
\set SHOW_CONTEXT never
SELECT paws_sync.subject_for('token') AS subject \gset
SELECT paws_sync.register_device(:'subject', 'web') AS device \gset

-- one form, of one length
SELECT :'subject' ~ '^sub_[A-Za-z0-9_-]{40}$' AS subject, :'device' ~ '^dev_[A-Za-z0-9_-]{40}$' AS device;
SELECT typname, typlen, typbyval, typalign, typstorage FROM pg_type
WHERE typnamespace = 'paws_sync'::regnamespace AND typname IN ('subject', 'device', 'context') ORDER BY 1;
SELECT length(paws_sync.subject_send(:'subject')) AS wire_bytes;

-- the tokens of a subject share a bucket of 12 bits
SELECT substr(paws_sync.subject_send(:'subject')::text, 3, 3) = substr(paws_sync.device_send(:'device')::text, 3, 3) AS same_bucket;

-- what input refuses
CREATE FUNCTION pg_temp.state_of(statement text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	message text;
	detail text;
BEGIN
	EXECUTE statement;
	RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(': ', SQLSTATE, message, detail);
END
$$;
CREATE FUNCTION pg_temp.read_as(kind text, token text) RETURNS text LANGUAGE sql AS
$$ SELECT pg_temp.state_of(format('SELECT %L::paws_sync.%I', token, kind)) $$;
SELECT bool_and(pg_temp.read_as('subject', overlay(:'subject' PLACING CASE substr(:'subject', n, 1) WHEN 'A' THEN 'B' ELSE 'A' END
	FROM n)) = '22P02: invalid subject token: It is not a token, or a character of it was changed.') AS every_change_is_noticed
FROM generate_series(1, 44) AS n;
SELECT what, pg_temp.read_as('subject', token) AS result
FROM (VALUES ('itself', :'subject'),
	('empty', ''),
	('a name', 'Jane Doe'),
	('one short', left(:'subject', -1)),
	('one long', :'subject' || 'A'),
	('upper case', upper(:'subject')),
	('space before', ' ' || :'subject'),
	('another kind', :'device'),
	('long', repeat('sub_', 1000000))) AS v (what, token);
SELECT pg_temp.read_as('device', :'device') AS device, pg_temp.read_as('device', :'subject') AS subject_as_device,
	pg_temp.read_as('context', :'subject') AS subject_as_context;

-- kinds cannot be mixed
SELECT pg_temp.state_of(format('SELECT %L::paws_sync.subject = %L::paws_sync.device', :'subject', :'device'));
SELECT pg_temp.state_of(format('SELECT %L::paws_sync.subject::paws_sync.context', :'subject'));
SELECT pg_temp.state_of(format('SELECT paws_sync.devices(%L::paws_sync.device)', :'device'));

-- comparison and order
CREATE TABLE tokens AS
	SELECT n, paws_sync.subject_for('token ' || n) AS subject FROM generate_series(1, 1000) AS n;
SELECT count(DISTINCT subject) AS distinct, count(DISTINCT subject::text) AS distinct_text FROM tokens;
SELECT bool_and(subject = subject AND subject <= subject AND subject >= subject AND NOT subject <> subject
	AND NOT subject < subject AND NOT subject > subject) AS reflexive FROM tokens;
SELECT bool_and(before < subject AND subject > before AND before <= subject AND subject >= before AND before <> subject
	AND paws_sync.subject_cmp(before, subject) < 0) AS ordered
FROM (SELECT subject, lag(subject) OVER (ORDER BY subject) AS before FROM tokens) w WHERE before IS NOT NULL;
SELECT array_agg(n ORDER BY subject) = array_agg(n ORDER BY paws_sync.subject_send(subject)) AS order_of_bytes FROM tokens;

-- indexes
CREATE UNIQUE INDEX ON tokens (subject);
CREATE INDEX tokens_hash ON tokens USING hash (subject);
ANALYZE tokens;
SET enable_seqscan = off;
SELECT count(*) FROM tokens a WHERE a.subject = paws_sync.subject_for('token 7') AND a.n = 7;
DROP INDEX tokens_hash;
SELECT count(*) FROM tokens a WHERE a.subject = paws_sync.subject_for('token 7') AND a.n = 7;
SELECT count(*) FROM tokens WHERE subject > (SELECT subject FROM tokens ORDER BY subject OFFSET 899 LIMIT 1);
INSERT INTO tokens SELECT 1001, paws_sync.subject_for('token ' || 7) ON CONFLICT (subject) DO NOTHING;
RESET enable_seqscan;
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT count(*) AS merged FROM tokens a JOIN tokens b USING (subject);
RESET enable_hashjoin;
SET enable_mergejoin = off;
SELECT count(*) AS hashed FROM tokens a JOIN tokens b USING (subject);
RESET enable_nestloop;
RESET enable_mergejoin;

-- copies, in text and in binary
CREATE TABLE tokens_copy (LIKE tokens);
\copy tokens TO 'results/token.copy' (FORMAT binary)
\copy tokens_copy FROM 'results/token.copy' (FORMAT binary)
\copy tokens TO 'results/token.copy'
\copy tokens_copy FROM 'results/token.copy'
\copy (SELECT) TO 'results/token.copy'
SELECT count(*) AS copied, count(DISTINCT subject) AS distinct FROM tokens_copy JOIN tokens USING (n, subject);
DROP TABLE tokens, tokens_copy;
