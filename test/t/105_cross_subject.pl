# No device of one subject reads or changes anything of another's. First by the catalogs: each function that takes a token
# is called with everything of another subject that can be known or guessed (its ids, its cursors), in both lanes, between
# all of several subjects that have the same document and operation ids; what is stored of all others stays as it
# is to the byte, and no answer holds a payload or a token of theirs, or tells whether an id exists there. Then by
# chance: thousands of calls over twenty subjects by two sessions, in which every payload says whose it is.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $SUBJECTS = 3;
my $CALLS = 1250;    # of each of two sessions

my $seed = seed_random();
my $node = PawsNode->new_node('cross', 'paws_sync.housekeeping_interval' => '1h', 'paws_sync.max_wait_with_snapshot' => '10ms');

sub sql { return $node->safe_psql('postgres', $_[0]) }

# One line for each row that the query finds, of which there should be none.
sub none_of
{
	my ($query, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(sql($query), '', $name);
}

sql(<<'SQL');
CREATE ROLE gate LOGIN;
SELECT paws_sync.grant_profile('gate', 'app'), paws_sync.grant_profile('gate', 'billing');
SELECT paws_sync.set_tier_policy(tier, 1000000, 1000000, 1000000000, 1000000000, NULL, 1000) FROM unnest(enum_range(NULL::paws_sync.tier)) AS tier;
CREATE SCHEMA x;
GRANT USAGE ON SCHEMA x TO gate;
ALTER DEFAULT PRIVILEGES IN SCHEMA x GRANT ALL ON TABLES TO gate;
ALTER DEFAULT PRIVILEGES IN SCHEMA x GRANT ALL ON SEQUENCES TO gate;

-- Ids are the same for all subjects: numbers dressed as UUIDs.
CREATE FUNCTION x.id(n integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS
$$ SELECT ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
-- One operation. Its payload says whose it is, and of which document and operation.
CREATE FUNCTION x.op(owner text, op uuid, collection text, doc uuid, base bigint, deleted boolean DEFAULT false) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
$$
	SELECT jsonb_build_object('op_id', op, 'collection', collection, 'doc_id', doc, 'base_revision', base) || CASE WHEN deleted
		THEN '{"deleted": true}' ELSE jsonb_build_object('payload', encode(convert_to(format('<%s> %s %s', owner, doc, op), 'UTF8'), 'base64')) END
$$;

-- All that is stored of a subject, as a digest: of each table of the extension with a subject or a device in it. Which device is whose is
-- remembered, for forgotten ones too.
CREATE TABLE x.device_no (device_no bigint PRIMARY KEY, subject_no bigint NOT NULL);
CREATE VIEW x.stored AS
	SELECT c.oid::regclass AS relation, max(a.attname::text) FILTER (WHERE a.attname IN ('subject_no', 'device_no')) AS whose
	FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'paws_sync' JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relkind NOT IN ('v', 'S') GROUP BY c.oid;
CREATE FUNCTION x.state(no bigint) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	entry record;
	part text;
	found text := '';
BEGIN
	INSERT INTO x.device_no SELECT d.device_no, d.subject_no FROM paws_registry.device d ON CONFLICT DO NOTHING;
	FOR entry IN SELECT * FROM x.stored WHERE whose IS NOT NULL ORDER BY relation::text LOOP
		EXECUTE format('SELECT string_agg(r::text, '' '' ORDER BY r::text) FROM %s r WHERE %s', entry.relation, CASE entry.whose WHEN 'subject_no'
			THEN 'r.subject_no = $1' ELSE 'r.device_no IN (SELECT d.device_no FROM x.device_no d WHERE d.subject_no = $1)' END) INTO part USING no;
		found := found || entry.relation || ': ' || coalesce(md5(part), '') || E'\n';
	END LOOP;
	RETURN found;
END
$$;
SQL

is(sql('SELECT string_agg(relation::text, \' \' ORDER BY relation::text COLLATE "C") FROM x.stored WHERE whose IS NULL'), join(' ',
		qw(paws_care.cursor_epoch paws_crisis.audit paws_crisis.canary paws_crisis.canary_device paws_crisis.cursor_epoch paws_crisis.resource paws_crisis.root_check paws_crisis.topic paws_queue.history paws_queue.inflight paws_queue.paused_level
		  paws_queue.policy paws_queue.tier_policy paws_queue.topic paws_registry.collection paws_vault.foreign_epoch paws_vault.key_job paws_vault.root_check)),
	'every table but these has a subject or a device in each row');

# The subjects: each has a phone, a tablet, a spare device and a revoked one, the same documents under the same operation
# ids in both lanes, some written twice, one deleted, one in conflict; and documents (1000 and up, by subject) and
# operations that no other has.
sql(<<"SQL");
CREATE TABLE x.subject (n integer PRIMARY KEY, subject_no bigint, token paws_sync.subject, phone text, tablet text, spare text, revoked text);
INSERT INTO x.subject (n, token) SELECT n, paws_sync.subject_for('cross ' || n) FROM generate_series(1, $SUBJECTS) n;
UPDATE x.subject SET phone = paws_sync.register_device(token, 'ios'), tablet = paws_sync.register_device(token, 'web'),
	spare = paws_sync.register_device(token, 'android'), revoked = paws_sync.register_device(token, 'desktop');
UPDATE x.subject s SET subject_no = r.subject_no FROM paws_registry.subject r WHERE r.subject OPERATOR(paws_sync.=) s.token;
CREATE TABLE x.collection AS SELECT * FROM unnest('{standard,interactive,bulk,background,safety,emergency}'::text[]) WITH ORDINALITY AS c (name, no);
SQL
foreach my $round (1, 2)
{
	sql(<<"SQL");
SELECT count(*) FROM x.subject s, x.collection c, unnest(ARRAY[c.no::integer, 1000 * s.n + c.no::integer]) AS doc,
	paws_sync.push(s.phone::paws_sync.device, jsonb_build_array(x.op('subject ' || s.n, x.id(100 * $round + doc), c.name, x.id(doc), $round - 1)));
SELECT paws_sync.push(s.phone::paws_sync.device, jsonb_build_array(x.op('subject ' || s.n, x.id(990 + $round), 'bulk', x.id(3), 0), x.op('', x.id(992 + $round), 'standard', x.id(1), $round, true)))
FROM x.subject s;
SQL
	wait_applied($node);
}
sql('SELECT paws_sync.revoke_device(revoked::paws_sync.device) FROM x.subject');
is(sql('SELECT count(DISTINCT (SELECT count(*) FROM paws_care.document d WHERE d.subject_no = s.subject_no) || \' \' || '
	  . '(SELECT count(*) FROM paws_crisis.document d WHERE d.subject_no = s.subject_no)) FROM x.subject s'), 1, 'all have as many documents');
is(sql('SELECT min(n) > 0 FROM (SELECT count(*) AS n FROM x.subject s JOIN paws_care.branch b USING (subject_no) GROUP BY subject_no) AS b'), 't', 'and branches');
# what a query that ignores the subject would do
is(sql("SELECT count(DISTINCT subject_no) FROM paws_care.document WHERE doc_id = x.id(2)"), $SUBJECTS, 'the same documents');
is(sql("SELECT count(DISTINCT device_no) FROM paws_crisis.feed WHERE op_id = x.id(105)"), $SUBJECTS, 'under the same operations');

sql("SELECT paws_sync.define_topic('errands')");

# Cursors of each, from every stage: begun, in the middle of a seed, at its end, in the feed, of both lanes, and acknowledged.
sql(<<'SQL');
CREATE TABLE x.cursor (n integer, device text, cursor text);
INSERT INTO x.cursor SELECT s.n, s.tablet, p.cursor FROM x.subject s, unnest('{1,3,500}'::integer[]) AS size, paws_sync.pull(s.tablet::paws_sync.device, NULL, size) p;
INSERT INTO x.cursor SELECT s.n, s.tablet, p.cursor FROM x.subject s, paws_sync.pull_crisis(s.tablet::paws_sync.device) p;
INSERT INTO x.cursor SELECT s.n, s.phone, p.cursor FROM x.subject s, paws_sync.pull(s.phone::paws_sync.device) p;
INSERT INTO x.cursor SELECT s.n, s.phone, p.cursor FROM x.subject s,
	(SELECT n, cursor FROM x.cursor ORDER BY length(cursor), cursor) AS c, paws_sync.pull(s.phone::paws_sync.device, c.cursor::paws_sync.cursor, 2) p WHERE c.n = s.n;
SELECT paws_sync.ack(s.tablet::paws_sync.device, (SELECT cursor FROM paws_sync.pull(s.tablet::paws_sync.device) WITH ORDINALITY ORDER BY ordinality DESC LIMIT 1)) FROM x.subject s;
CREATE TABLE x.some_cursor AS SELECT DISTINCT ON (n, device, length(cursor), no) n, cursor FROM
	(SELECT *, ntile(4) OVER (PARTITION BY n, device, length(cursor) ORDER BY cursor) AS no FROM (SELECT DISTINCT * FROM x.cursor) AS c) AS c;
SQL
cmp_ok(sql('SELECT min(count) FROM (SELECT count(*) FROM x.some_cursor GROUP BY n) AS c'), '>=', 10, 'each subject has cursors of all sorts');

# What each reads is its own, to the last id, and opens.
my $own = "doc_id = ANY (ARRAY(SELECT x.id(c.no::integer + base) FROM x.collection c, unnest(ARRAY[0, 1000 * s.n]) AS base))";
foreach my $call ('pull(d)', 'pull(d, NULL, 2)', "pull_wait(d, NULL, '1 ms')", 'pull_crisis(d)', "crisis_bundle(d, 'de')")
{
	my $documents = $call =~ /bundle/ ? "kind = 'document'" : "kind <> 'position'";

	none_of("SELECT s.n, p.* FROM x.subject s, LATERAL (SELECT unnest(ARRAY[phone, tablet, spare])::paws_sync.device AS d) AS d, paws_sync.$call p "
		  . "WHERE $documents AND (NOT $own OR code IS NOT NULL OR kind = 'unreadable') LIMIT 3", "$call: documents of its own alone");
}
none_of("SELECT s.n, p.* FROM x.subject s JOIN x.cursor c USING (n), paws_sync.pull(c.device::paws_sync.device, c.cursor::paws_sync.cursor) p "
	  . "WHERE kind <> 'position' AND (NOT $own OR kind = 'unreadable') LIMIT 3", 'from wherever it goes on');

# The attacks. In a call {a} is the attacker's device, {A} its subject; {doc}, {docs}, {op}, {ops} ids, {cursor} a cursor, {collection} a
# collection, {base} a revision. "blind" ones are repeated with ids that nobody has: the answer must be the same.
sql(<<'SQL');
CREATE TABLE x.attack (function text, blind boolean, role name, call text, no serial);
INSERT INTO x.attack (function, blind, role, call) VALUES
	('push', true, 'gate', $$push({a}, jsonb_build_array(x.op('subject {n}', {op}, {collection}, {doc}, {base})))$$),
	('push', true, 'gate', $$push({a}, jsonb_build_array(x.op('subject {n}', {op}, {collection}, {doc}, {base}, true)))$$),
	('push_many', true, 'gate', $$push_many({a}, ARRAY[{op}], ARRAY[{collection}], ARRAY[{doc}], ARRAY[{base}::bigint], ARRAY[convert_to('<subject {n}> ' || {doc} || ' ' || {op}, 'UTF8')])$$),
	('push_many', true, 'gate', $$push_many({a}, ARRAY[{op}], ARRAY[{collection}], ARRAY[{doc}], ARRAY[{base}::bigint], ARRAY[NULL::bytea], '{t}')$$),
	('push_crisis', true, 'gate', $$push_crisis({a}, jsonb_build_array(x.op('subject {n}', {op}, {collection}, {doc}, {base})))$$),
	('push_crisis', true, 'gate', $$push_crisis({a}, jsonb_build_array(x.op('subject {n}', {op}, {collection}, {doc}, {base}, true)))$$),
	('receipts', true, 'gate', $$receipts({a}, ARRAY[{op}])$$),
	('pull', false, 'gate', $$pull({a}, {cursor})$$),
	('pull', false, 'gate', $$pull({a}, {cursor}, 1)$$),
	('pull_wait', false, 'gate', $$pull_wait({a}, {cursor}, '1 ms')$$),
	('pull_crisis', false, 'gate', $$pull_crisis({a}, {cursor})$$),
	('pull_crisis_wait', false, 'gate', $$pull_crisis_wait({a}, {cursor}, '1 ms')$$),
	('ack', false, 'gate', $$ack({a}, {cursor})$$),
	('crisis_bundle', false, 'gate', $$crisis_bundle({a}, 'de')$$),
	('devices', false, 'gate', $$devices({A})$$),
	('sync_status', false, 'gate', $$sync_status({A})$$),
	('erasure_status', false, 'gate', $$erasure_status({A})$$),
	('check_subject', false, 'postgres', $$check_subject({A})$$),
	('register_device', false, 'gate', $$register_device({A}, 'wearable')$$),
	('submit', false, 'gate', $$submit('errands', convert_to('<subject {n}>', 'UTF8'), subject => {A})$$),
	('raise_crisis', false, 'gate', $$raise_crisis({A}, 'self_report', 'low')$$),
	('set_entitlement', false, 'gate', $$set_entitlement({A}, 'premium')$$),
	-- at the end, for these leave less to attack with
	('revoke_device', false, 'gate', $$revoke_device((SELECT spare FROM x.subject WHERE n = {n})::paws_sync.device)$$),
	('forget', false, 'gate', $$forget({A})$$);
SQL
none_of(<<'SQL', 'every function that takes a token is among the attacks, and no other');
SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'paws_sync'::regnamespace AND p.proargtypes::oid[] && '{paws_sync.subject,paws_sync.device}'::regtype[]::oid[]
	AND p.prorettype <> ALL ('{boolean,integer,bigint,cstring,bytea}'::regtype[]) AND p.proname NOT IN (SELECT function FROM x.attack)
	OR p.proname IN ('revoke_device') AND p.proname NOT IN (SELECT function FROM x.attack)
UNION SELECT function FROM x.attack WHERE 'paws_sync.' || function NOT IN (SELECT oid::regproc::text FROM pg_proc)
SQL

# An answer, without what differs from call to call; and all of it, for what must not be in it.
sql(<<'SQL');
CREATE TABLE x.fault (attack text, a integer, b integer, what text);
CREATE TABLE x.answer (function text, state text, rows bigint);
CREATE TABLE x.compared (receipts bigint, outcomes bigint);
CREATE FUNCTION x.masked(answer text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT regexp_replace(regexp_replace(answer, '[0-9a-f]{8}-[0-9a-f-]{27}|cur_[\w-]+|dev_[\w-]+', '', 'g'), '\d{4}-\d\d-\d\d [0-9:.+]+', '', 'g') $$;
CREATE FUNCTION x.call(role name, call text, OUT state text, OUT answer text, OUT rows bigint) LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE 'SELECT string_agg(r::text, E''\n''), count(*) FROM paws_sync.' || call || ' r' INTO answer, rows;
	state := '00000';
	RESET ROLE;
EXCEPTION WHEN OTHERS THEN
	state := SQLSTATE;
END
$$;
-- What of one subject is in an answer to another: payloads (as bytea prints them) and tokens.
CREATE FUNCTION x.mine(b integer, answer text) RETURNS boolean LANGUAGE sql AS
$$
	SELECT strpos(answer, encode(convert_to(format('<subject %s>', b), 'UTF8'), 'hex')) > 0
		OR EXISTS (SELECT FROM x.subject s, unnest(ARRAY[s.token::text, s.phone, s.tablet, s.spare, s.revoked]) AS secret WHERE s.n = b AND strpos(answer, secret) > 0)
$$;
CREATE PROCEDURE x.wait_applied() LANGUAGE plpgsql AS
$$
BEGIN
	COMMIT;
	WHILE EXISTS (SELECT FROM paws_queue.operation) LOOP
		PERFORM pg_sleep(0.002);
		COMMIT;
	END LOOP;
END
$$;
-- but for those that are forgotten, whose rows go in the background
CREATE VIEW x.states AS SELECT n, x.state(subject_no) AS state FROM x.subject WHERE subject_no IN (SELECT subject_no FROM paws_registry.subject);

CREATE VIEW x.acknowledged AS
	SELECT d.subject_no, d.device_no, k.lane, k.position FROM paws_registry.device d
	JOIN (SELECT 1 AS lane, * FROM paws_care.acknowledged UNION ALL SELECT 2, * FROM paws_crisis.acknowledged) AS k USING (device_no);

-- Every attack of a device of one subject with all that is another's, in one transaction, so that no worker comes
-- between. Beside each with ids that only the other has goes one with ids that nobody has: what is answered then and
-- what becomes of it later must be the same. "mirror" are those ids, and what the attacker has under them is the same too.
CREATE FUNCTION x.mirror(a integer, id integer) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT x.id(100000 * a + id) $$;
CREATE PROCEDURE x.attack(a integer, b integer, functions text[]) LANGUAGE plpgsql AS
$$
DECLARE
	try record;
	call text;
	real text;
	got record;
	mirrored record;
	before text[];
	fresh integer := 1000000 * (10 * a + b);
	real_ops uuid[];
	mirror_ops uuid[];
	attacker x.subject;
	acknowledged x.acknowledged[];
BEGIN
	SELECT * INTO attacker FROM x.subject s WHERE s.n = a;
	SELECT array_agg(k ORDER BY k) INTO acknowledged FROM x.acknowledged k WHERE k.subject_no = attacker.subject_no;
	SELECT array_agg(s.state ORDER BY s.n) INTO before FROM x.states s WHERE s.n <> a;
	FOR try IN
		SELECT t.function, t.role, t.blind AND coalesce(doc, 1001) > 1000 AND coalesce(op, 1001) > 1000 AS blind, c.name AS collection, base, doc, op, u.cursor,
			replace(replace(replace(t.call, '{a}', quote_literal(attacker.phone) || '::paws_sync.device'), '{A}', quote_literal(attacker.token) || '::paws_sync.subject'),
				'{n}', a::text) AS call
		FROM x.attack t
		LEFT JOIN x.collection c ON t.call ~ '\{collection\}'
		LEFT JOIN unnest('{0,1,2,3}'::bigint[]) AS base ON t.call ~ '\{base\}'
		-- documents and operations that the other has alone, and such as both have; NULL for a new operation
		LEFT JOIN unnest(ARRAY[1000 * b + c.no::integer, c.no::integer]) AS doc ON t.call ~ '\{doc\}'
		LEFT JOIN unnest(CASE WHEN t.call ~ '\{doc\}' THEN ARRAY[NULL, doc / 1000 * 1000 + 100 + c.no::integer] ELSE ARRAY[1000 * b + 101, 1000 * b + 205, 101] END) AS op
			ON t.call ~ '\{op\}'
		LEFT JOIN x.some_cursor u ON u.n = b AND t.call ~ '\{cursor\}'
		WHERE t.function = ANY (functions) ORDER BY t.no, base, collection, doc, op, u.cursor
	LOOP
		fresh := fresh + 2;
		call := replace(replace(replace(try.call, '{collection}', quote_nullable(try.collection)), '{base}', quote_nullable(try.base)),
			'{cursor}', quote_nullable(try.cursor) || '::paws_sync.cursor');
		real_ops[fresh] := x.id(coalesce(try.op, fresh));
		real := replace(replace(call, '{doc}', quote_nullable(x.id(try.doc)) || '::uuid'), '{op}', quote_literal(real_ops[fresh]) || '::uuid');
		SELECT * INTO got FROM x.call(try.role, real);
		INSERT INTO x.answer VALUES (try.function, got.state, got.rows);
		INSERT INTO x.fault SELECT real, a, s.n, 'in the answer: ' || got.answer FROM x.subject s WHERE s.n <> a AND x.mine(s.n, got.answer);
		IF got.state NOT IN ('00000', '22023') OR got.answer ~ 'unreadable|envelope_rejected' THEN
			INSERT INTO x.fault VALUES (real, a, b, got.state);
		END IF;
		IF try.function = 'ack' AND acknowledged <> (SELECT array_agg(k ORDER BY k) FROM x.acknowledged k WHERE k.subject_no = attacker.subject_no) THEN
			INSERT INTO x.fault VALUES (real, a, b, 'notes a place in a history that is not its own');
		END IF;
		IF try.blind THEN
			mirror_ops[fresh] := coalesce(x.mirror(a, try.op), x.id(fresh + 1));
			SELECT * INTO mirrored FROM x.call(try.role, replace(replace(call, '{doc}', quote_nullable(x.mirror(a, try.doc)) || '::uuid'),
				'{op}', quote_literal(mirror_ops[fresh]) || '::uuid'));
			IF (mirrored.state, x.masked(mirrored.answer)) IS DISTINCT FROM (got.state, x.masked(got.answer)) THEN
				INSERT INTO x.fault VALUES (real, a, b, format('tells that it exists: %s %s but %s %s', got.state, got.answer, mirrored.state, mirrored.answer));
			END IF;
		ELSE
			real_ops[fresh] := NULL;
		END IF;
	END LOOP;
	CALL x.wait_applied();
	SELECT * INTO got FROM x.call('gate', format('receipts(%L, %L)', attacker.phone, array_remove(real_ops, NULL)));
	SELECT * INTO mirrored FROM x.call('gate', format('receipts(%L, %L)', attacker.phone, array_remove(mirror_ops, NULL)));
	INSERT INTO x.compared SELECT got.rows, count(*) FROM regexp_matches(got.answer, 'applied|conflict|rejected', 'g');
	INSERT INTO x.fault SELECT 'one of ' || functions::text, a, b, 'receipts tell that it exists: ' || r.line || ' but ' || m.line
	FROM regexp_split_to_table(x.masked(got.answer), '\n') WITH ORDINALITY AS r (line, no)
	FULL JOIN regexp_split_to_table(x.masked(mirrored.answer), '\n') WITH ORDINALITY AS m (line, no) USING (no) WHERE r.line IS DISTINCT FROM m.line;
	INSERT INTO x.fault SELECT 'one of ' || functions::text, a, s.n, 'stored: ' || s.state
	FROM (SELECT n, state, before[row_number() OVER (ORDER BY n)] AS was FROM x.states WHERE n <> a) AS s WHERE s.state <> s.was;
	COMMIT;
END
$$;
SQL

my @functions = split /\n/, sql("SELECT DISTINCT function FROM x.attack WHERE function NOT IN ('revoke_device', 'forget') ORDER BY 1");

sub attack
{
	my (@functions) = @_;
	my $list = join(',', @functions);

	sql(<<"SQL");
DO \$\$
DECLARE
	pair record;
BEGIN
	FOR pair IN SELECT x.n AS a, y.n AS b FROM x.subject x, x.subject y WHERE x.n <> y.n ORDER BY 1, 2 LOOP
		CALL x.attack(pair.a, pair.b, '{$list}');
	END LOOP;
END
\$\$;
SQL
	return;
}
attack(@functions);
none_of('SELECT * FROM x.fault LIMIT 10', 'nothing of another subject is read or changed, whatever is passed');
note(sql("SELECT function || ' ' || state || ': ' || count(*) FROM x.answer GROUP BY function, state ORDER BY 1"));
none_of("SELECT function FROM x.attack EXCEPT SELECT function FROM x.answer WHERE state = '00000' EXCEPT SELECT unnest('{revoke_device,forget}'::text[])",
	'and each function has something to answer');
cmp_ok(sql('SELECT min(outcomes) FROM x.compared'), '>', 50, 'what became of operations was compared with what would if the other had no such thing');
cmp_ok(sql('SELECT count(*) FROM x.answer'), '>=', 2000, sql('SELECT count(*) FROM x.answer') . ' calls');

# That says something only if what would be wrong is found.
my $other = sql("SELECT x.state(subject_no) FROM x.subject WHERE n = 2");
isnt(sql(<<'SQL'), $other, 'a changed row of another is found');
BEGIN;
UPDATE paws_crisis.acknowledged SET position = position + 1 WHERE device_no IN (SELECT device_no FROM paws_registry.device d JOIN x.subject s USING (subject_no) WHERE s.n = 2);
SELECT x.state(subject_no) FROM x.subject WHERE n = 2;
ROLLBACK;
SQL
is(sql("SELECT x.mine(2, string_agg(p::text, '')) AND NOT x.mine(1, string_agg(p::text, '')) FROM x.subject s, paws_sync.pull(s.tablet::paws_sync.device) p WHERE n = 2"), 't', 'so is a payload');
is(sql("SELECT x.mine(2, string_agg(p::text, '')) FROM x.subject s, paws_sync.devices(s.token) p WHERE n = 2"), 't', 'and a token');

# What waits in the queue is apart too: the same operation on the same document by two subjects.
my $hold = hold_subjects($node);
is(sql("SELECT string_agg(p.outcome::text, ' ') FROM x.subject s, paws_sync.push(s.phone::paws_sync.device, jsonb_build_array(x.op('subject ' || s.n, x.id(777), 'standard', x.id(777), 0))) p"),
	join(' ', ('accepted') x $SUBJECTS), 'each subject can push an operation that others wait for');
is(sql("SELECT count(*) FROM paws_queue.operation WHERE op_id = x.id(777)"), $SUBJECTS, 'they wait side by side');
release_subjects($node, $hold);
wait_applied($node);
is(sql("SELECT count(*) FROM x.subject s, paws_sync.pull(s.tablet::paws_sync.device) p WHERE doc_id = x.id(777) AND convert_from(payload, 'UTF8') ~ format('^<subject %s>', n)"),
	$SUBJECTS, 'and each reads its own');

# One connection for many: what a process keeps of one subject (keys, plans) is not taken for another.
is(sql(<<"SQL"), 't', 'devices of all subjects in turn, over one connection');
SELECT bool_and(convert_from(payload, 'UTF8') ~ format('^<subject %s> %s', n, doc_id)) AND count(*) > 100 FROM generate_series(1, 5) AS round,
	LATERAL (SELECT s.n, p.* FROM x.subject s, paws_sync.pull(s.tablet::paws_sync.device) p WHERE round > 0 UNION ALL SELECT s.n, p.* FROM x.subject s, paws_sync.pull_crisis(s.tablet::paws_sync.device) p) AS p
WHERE kind = 'change' AND NOT deleted
SQL

# A revoked device is told public lines and its own receipts, and nothing else; not even with a cursor from before.
my ($revoked, $cursor) = split /\|/, sql("SELECT s.revoked, (SELECT max(cursor) FROM x.some_cursor c WHERE c.n = s.n) FROM x.subject s WHERE n = 1");
foreach my $call ("pull('$revoked')", "pull('$revoked', '$cursor')", "pull_wait('$revoked')", "pull_crisis('$revoked')", "pull_crisis('$revoked', '$cursor')", "ack('$revoked', '$cursor')")
{
	error_like($node, "SELECT paws_sync.$call", 'PW004', undef, 'a revoked device: ' . $call =~ s/\(.*//r);
}
is(sql("SELECT string_agg(DISTINCT kind || ' ' || coalesce(code, '') || (payload IS NOT NULL), ', ') FROM paws_sync.crisis_bundle('$revoked')"),
	'document device_revokedfalse, resource false', 'it has the public lines of a bundle');
is(sql("SELECT count(*) FROM paws_sync.receipts('$revoked', ARRAY[x.id(101), x.id(105)]) WHERE outcome IS NOT NULL"), 0, 'and no receipts of its siblings');
is(sql("SELECT string_agg(outcome || ' ' || coalesce(code, ''), ', ' ORDER BY item) FROM paws_sync.push('$revoked', jsonb_build_array(x.op('subject 1', x.id(801), 'standard', x.id(2), 2), x.op('subject 1', x.id(802), 'safety', x.id(805), 0)))"),
	'rejected device_revoked, accepted device_revoked', 'of what it pushes the crisis lane alone takes something');

# Taken out of service, and forgotten, one subject after the other.
attack('revoke_device');
none_of("SELECT * FROM x.fault LIMIT 10", 'revoking touches no other');
is(sql("SELECT count(*) FROM x.subject s, paws_sync.devices(s.token) d WHERE d.device::text = s.spare AND d.revoked_at IS NOT NULL"), $SUBJECTS, 'though it is done');
sql("CREATE TABLE x.erasure (n integer, erasure uuid)");
foreach my $n (1 .. $SUBJECTS - 1)
{
	my $next = $n + 1;

	sql("CALL x.attack($n, $next, '{forget}')");
	sql("INSERT INTO x.erasure SELECT $n, e.erasure FROM x.subject s, paws_sync.erasure_status(s.token) e WHERE n = $n");
	none_of("SELECT attack, a, b, left(what, 200) FROM x.fault LIMIT 10", "forgetting subject $n touches no other");
	is(sql("SELECT count(*) FROM x.subject s, paws_sync.erasure_status(s.token) WHERE n > $n"), 0, 'the others have no erasure');
	error_like($node, "SELECT paws_sync.pull(phone::paws_sync.device) FROM x.subject WHERE n = $n", 'PW002', undef, 'its devices are unknown');
	is(sql("SELECT count(*) FROM x.subject s, paws_sync.pull(s.tablet::paws_sync.device) p WHERE n = $next AND kind = 'change' AND convert_from(payload, 'UTF8') ~ '^<subject $next>'") > 5,
		1, 'those of the next read on');
}
is(sql('SELECT count(DISTINCT erasure) FROM x.erasure'), $SUBJECTS - 1, 'each erasure is its own');

# Who comes back after being forgotten is another: the token is the same, and nothing of before.
my $again = sql("SELECT paws_sync.register_device(token, 'ios') FROM x.subject WHERE n = 1");
is(sql("SELECT count(*) FROM paws_sync.pull('$again')"), 0, 'a forgotten subject begins with nothing');
is(sql("SELECT count(*) FROM paws_sync.receipts('$again', ARRAY(SELECT x.id(n) FROM generate_series(1, 2500) n)) WHERE outcome IS NOT NULL"), 0, 'without receipts');
is(sql("SELECT count(*) FILTER (WHERE code IN ('cursor_reset', 'cursor_expired')) || ' of ' || count(*) FROM x.some_cursor c, paws_sync.pull('$again', c.cursor::paws_sync.cursor) p WHERE n = 1 AND p.kind <> 'position'") =~ /^(\d+) of \1$/,
	1, 'its old cursors are reset');
is(sql("SELECT outcome FROM paws_sync.push('$again', jsonb_build_array(x.op('subject 1 again', x.id(105), 'safety', x.id(5), 0)))"), 'accepted', 'its old ids are new');
is(sql("SELECT string_agg(convert_from(payload, 'UTF8'), ',') FROM paws_sync.pull_crisis(paws_sync.register_device((SELECT token FROM x.subject WHERE n = 1), 'web'))"),
	'<subject 1 again> ' . sql('SELECT x.id(5) || \' \' || x.id(105)'), 'and its sibling reads what is new alone');

# ---- By chance.

sql(<<'SQL');
CREATE TABLE x.person (n integer PRIMARY KEY, token paws_sync.subject, life integer NOT NULL DEFAULT 1);
INSERT INTO x.person SELECT n, paws_sync.subject_for('person ' || n) FROM generate_series(1, 20) n;
-- owner is what payloads say: person and life, for who is forgotten begins anew
CREATE TABLE x.device (no serial PRIMARY KEY, device text UNIQUE, n integer, owner text);
INSERT INTO x.device (device, n, owner) SELECT paws_sync.register_device(token, 'ios'), n, format('%s life 1', n) FROM x.person, generate_series(1, 3);
CREATE TABLE x.pushed (device text, op uuid, doc uuid, owner text);
CREATE INDEX ON x.pushed (device, op);
CREATE TABLE x.known (no serial PRIMARY KEY, owner text, cursor text);
CREATE TABLE x.called (function text, state text, foreign_things boolean, answered bigint);
CREATE TABLE x.wrong (function text, owner text, what text);

CREATE FUNCTION x.die(sides integer) RETURNS integer LANGUAGE sql VOLATILE AS $$ SELECT 1 + floor(random() * sides)::integer $$;
CREATE FUNCTION x.any_device() RETURNS x.device LANGUAGE plpgsql AS
$$
DECLARE
	found x.device;
BEGIN
	LOOP
		SELECT * INTO found FROM x.device WHERE no = x.die((SELECT max(no) FROM x.device));
		EXIT WHEN found.no IS NOT NULL AND (random() < 0.1 OR EXISTS (SELECT FROM x.person p WHERE p.n = found.n AND found.owner = format('%s life %s', p.n, p.life)));
	END LOOP;
	RETURN found;
END
$$;
-- A cursor that somebody was given, more often than not somebody else; sometimes none.
CREATE FUNCTION x.any_cursor(mine text, OUT cursor text, OUT owner text) LANGUAGE plpgsql AS
$$
DECLARE
	most integer := (SELECT max(no) FROM x.known);
BEGIN
	IF most IS NULL OR random() < 0.2 THEN
		RETURN;
	ELSIF random() < 0.4 THEN
		SELECT k.cursor, k.owner INTO cursor, owner FROM x.known k WHERE k.owner = mine ORDER BY random() LIMIT 1;
	ELSE
		SELECT k.cursor, k.owner INTO cursor, owner FROM x.known k WHERE k.no = x.die(most);
	END IF;
END
$$;
-- Operations on a few documents that all have, with ids that all use, from whatever revision.
CREATE FUNCTION x.any_operations(owner text, crisis boolean) RETURNS jsonb LANGUAGE sql VOLATILE AS
$$
	SELECT jsonb_agg(x.op(owner, x.id(5000 + x.die(400)), CASE WHEN doc < 5 THEN 'safety' ELSE ('{standard,interactive,bulk,background}'::text[])[doc % 4 + 1] END,
		x.id(5000 + doc), x.die(4) - 1, random() < 0.1))
	FROM (SELECT CASE WHEN crisis THEN x.die(4) ELSE x.die(16) END AS doc FROM generate_series(1, x.die(6))) AS d
$$;
-- A payload is of who reads it, and of the document that it is said to be.
CREATE FUNCTION x.payload_is(owner text, doc uuid, payload bytea) RETURNS boolean LANGUAGE sql AS
$$ SELECT payload IS NULL OR starts_with(convert_from(payload, 'UTF8'), format('<%s> %s ', owner, doc)) $$;

CREATE FUNCTION x.step() RETURNS void LANGUAGE plpgsql AS
$$
DECLARE
	d x.device := x.any_device();
	token paws_sync.subject := (SELECT p.token FROM x.person p WHERE p.n = d.n);
	device paws_sync.device := d.device;
	c record := x.any_cursor(d.owner);
	cursor paws_sync.cursor := c.cursor;
	f text;
	state text := '00000';
	answered bigint := 0;
	life integer;
	operations jsonb;
	found record;
BEGIN
	SELECT name INTO f FROM (SELECT name, sum(weight) OVER (ORDER BY name) AS upto, sum(weight) OVER () AS total FROM (VALUES ('push', 26), ('push_many', 6), ('push_crisis', 6), ('pull', 22),
		('pull_wait', 3), ('pull_crisis', 5), ('pull_crisis_wait', 3), ('submit', 2), ('raise_crisis', 1), ('crisis_bundle', 5), ('receipts', 8), ('ack', 7), ('devices', 2), ('sync_status', 2), ('erasure_status', 2), ('set_entitlement', 2),
		('register_device', 3), ('revoke_device', 1), ('forget', 0.7)) AS w (name, weight)) AS w, (SELECT random() AS at) AS r WHERE w.upto >= r.at * w.total ORDER BY w.upto LIMIT 1;
	BEGIN
		CASE
		WHEN f IN ('pull', 'pull_wait', 'pull_crisis', 'pull_crisis_wait') THEN
			FOR found IN EXECUTE format('SELECT * FROM paws_sync.%I($1, $2, %s max_changes => $3)', f, CASE WHEN f ~ '_wait$' THEN '''1 ms'',' ELSE '' END)
				USING device, cursor, (ARRAY[1, 3, 500])[x.die(3)] LOOP
				answered := answered + 1;
				-- who is being forgotten may find its keys gone
				IF NOT x.payload_is(d.owner, found.doc_id, found.payload)
					OR found.kind = 'unreadable' AND EXISTS (SELECT FROM x.person p WHERE p.n = d.n AND d.owner = format('%s life %s', p.n, p.life)) THEN
					INSERT INTO x.wrong VALUES (f, d.owner, found::text);
				END IF;
				IF found.kind = 'receipt' AND NOT EXISTS (SELECT FROM x.pushed p WHERE p.device = d.device AND p.op = found.op_id AND p.doc = found.doc_id) THEN
					INSERT INTO x.wrong VALUES (f || ' receipt', d.owner, found::text);
				END IF;
				IF random() < 0.2 THEN
					INSERT INTO x.known (owner, cursor) VALUES (d.owner, found.cursor::text);
				END IF;
			END LOOP;
		WHEN f = 'crisis_bundle' THEN
			FOR found IN SELECT * FROM paws_sync.crisis_bundle(device, 'de') LOOP
				answered := answered + (found.payload IS NOT NULL)::integer;
				IF NOT x.payload_is(d.owner, found.doc_id, found.payload) THEN
					INSERT INTO x.wrong VALUES (f, d.owner, found::text);
				END IF;
			END LOOP;
		WHEN f IN ('push', 'push_crisis', 'push_many') THEN
			operations := x.any_operations(d.owner, f = 'push_crisis');
			IF f = 'push_many' THEN
				SELECT count(p.*) INTO answered FROM (SELECT array_agg((o->>'op_id')::uuid) AS op_ids, array_agg(o->>'collection') AS collections, array_agg((o->>'doc_id')::uuid) AS doc_ids,
					array_agg((o->>'base_revision')::bigint) AS bases, array_agg(decode(o->>'payload', 'base64')) AS payloads, array_agg(coalesce((o->>'deleted')::boolean, false)) AS deleted
					FROM jsonb_array_elements(operations) AS o) AS a, paws_sync.push_many(device, op_ids, collections, doc_ids, bases, payloads, deleted) p;
			ELSE
				EXECUTE format('SELECT count(*) FROM paws_sync.%I($1, $2)', f) INTO answered USING device, operations;
			END IF;
			INSERT INTO x.pushed SELECT d.device, (o->>'op_id')::uuid, (o->>'doc_id')::uuid, d.owner FROM jsonb_array_elements(operations) AS o;
		WHEN f = 'receipts' THEN
			FOR found IN SELECT * FROM paws_sync.receipts(device, ARRAY(SELECT x.id(5000 + x.die(400)) FROM generate_series(1, 100))) WHERE outcome IS NOT NULL LOOP
				answered := answered + 1;
				IF NOT EXISTS (SELECT FROM x.pushed p WHERE p.device = d.device AND p.op = found.op_id) THEN
					INSERT INTO x.wrong VALUES (f, d.owner, found::text);
				END IF;
			END LOOP;
		WHEN f IN ('devices', 'sync_status') THEN
			FOR found IN EXECUTE format('SELECT device::text FROM paws_sync.%I($1)', f) USING token LOOP
				answered := answered + 1;
				-- somebody who came back has a new life, with the same token
				IF NOT EXISTS (SELECT FROM x.device o WHERE o.device = found.device AND o.n = d.n) THEN
					INSERT INTO x.wrong VALUES (f, d.owner, found::text);
				END IF;
			END LOOP;
		WHEN f = 'ack' THEN
			cursor := coalesce(cursor, (SELECT p.cursor FROM paws_sync.pull(device) p LIMIT 1));
			IF cursor IS NOT NULL THEN
				PERFORM paws_sync.ack(device, cursor);
			END IF;
		WHEN f = 'submit' THEN
			PERFORM paws_sync.submit('errands', convert_to(format('<subject %s>', d.n), 'UTF8'), subject => token);
		WHEN f = 'raise_crisis' THEN
			PERFORM paws_sync.raise_crisis(token, (enum_range(NULL::paws_sync.source))[x.die(7)], (enum_range(NULL::paws_sync.severity))[x.die(4)]);
		WHEN f = 'erasure_status' THEN
			SELECT p.life INTO life FROM x.person p WHERE p.n = d.n FOR SHARE;
			SELECT count(*) INTO answered FROM paws_sync.erasure_status(token);
			IF (answered > 0) <> (life > 1) THEN
				INSERT INTO x.wrong VALUES (f, d.owner, answered::text);
			END IF;
		WHEN f = 'set_entitlement' THEN
			PERFORM paws_sync.set_entitlement(token, ('{trial,basic,premium,grace_period}'::paws_sync.tier[])[x.die(4)]);
		WHEN f = 'register_device' THEN
			-- under the person's lock, so that the new device is of the life that is counted
			INSERT INTO x.device (device, n, owner) SELECT paws_sync.register_device(p.token, 'web'), p.n, format('%s life %s', p.n, p.life)
				FROM (SELECT * FROM x.person p WHERE p.n = d.n FOR NO KEY UPDATE) AS p;
		WHEN f = 'revoke_device' THEN
			PERFORM paws_sync.revoke_device(device);
		WHEN f = 'forget' THEN
			UPDATE x.person p SET life = p.life + 1 WHERE p.n = d.n;
			SELECT count(*) INTO answered FROM paws_sync.forget(token);
			INSERT INTO x.device (device, n, owner) SELECT paws_sync.register_device(p.token, 'web'), p.n, format('%s life %s', p.n, p.life)
				FROM x.person p, generate_series(1, 3) WHERE p.n = d.n;
		END CASE;
	EXCEPTION WHEN OTHERS THEN
		state := SQLSTATE;
		answered := 0;
	END;
	INSERT INTO x.called VALUES (f, state, c.owner <> d.owner, answered);
END
$$;
CREATE PROCEDURE x.run(steps integer, seed float8) LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM setseed(seed);
	FOR i IN 1 .. steps LOOP
		PERFORM x.step();
		COMMIT;
	END LOOP;
END
$$;
SQL

my @runs;
foreach my $session (1, 2)
{
	my $fraction = ($seed % 1000003) / 1000003 * $session / 2;
	my $out = '';
	my $err = '';
	my $run = { out => \$out, err => \$err };

	$run->{handle} = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-U', 'gate', '-d', 'postgres',
			'-c', "CALL x.run($CALLS, $fraction)" ], '<', \undef, '>', \$out, '2>', \$err);
	push @runs, $run;
}
foreach my $run (@runs)
{
	ok($run->{handle}->finish, 'a session of random calls came to its end') or diag(${ $run->{err} });
}
wait_applied($node);

none_of('SELECT * FROM x.wrong LIMIT 10', 'by chance too nothing of another is read');
none_of("SELECT function, state, count(*) FROM x.called WHERE state NOT IN ('00000', '22023', 'PW002', 'PW004', '40001', '40P01', '42704') GROUP BY 1, 2", 'nor does a call fail for another reason');
is(sql('SELECT count(*) FROM x.called'), 2 * $CALLS, 'every call was made');
none_of("SELECT function FROM x.attack WHERE function <> 'check_subject' EXCEPT SELECT function FROM x.called WHERE state = '00000'", 'each function went through');
cmp_ok(sql("SELECT count(*) FROM x.called WHERE foreign_things AND function ~ '^pull' AND state = '00000'"), '>', 50, 'many a device pulled with the cursor of another subject');
cmp_ok(sql("SELECT sum(answered) FROM x.called WHERE function ~ '^pull'"), '>', 1000, sql("SELECT sum(answered) FROM x.called WHERE function ~ '^pull'") . ' rows were pulled');
note(sql("SELECT function || ' ' || state || ': ' || count(*) || ', rows ' || sum(answered) FROM x.called GROUP BY function, state ORDER BY 1"));

# What is stored is whose it says, to the last row; and all of it can be read by whose it is.
sql('INSERT INTO x.device_no SELECT device_no, subject_no FROM paws_registry.device ON CONFLICT DO NOTHING');
none_of(<<'SQL', 'every receipt is of a device of its subject, for an operation that this device pushed');
SELECT f.subject_no, f.op_id FROM (SELECT * FROM paws_care.feed UNION ALL SELECT * FROM paws_crisis.feed) AS f JOIN paws_registry.subject s USING (subject_no) JOIN x.person p ON p.token OPERATOR(paws_sync.=) s.subject
LEFT JOIN paws_registry.device d ON d.device_no = f.device_no AND d.subject_no = f.subject_no
WHERE NOT EXISTS (SELECT FROM x.pushed u WHERE u.device = d.device::text AND u.op = f.op_id AND u.doc = f.doc_id AND u.owner = format('%s life %s', p.n, p.life)) LIMIT 10
SQL
is(sql(<<'SQL'), 't', 'a new device of each gets all of its documents, and no others');
SELECT bool_and(x.payload_is(format('%s life %s', p.n, p.life), c.doc_id, c.payload)) AND count(*) = (SELECT count(*) FROM paws_registry.subject s JOIN x.person p ON p.token OPERATOR(paws_sync.=) s.subject
	JOIN (SELECT subject_no, deleted FROM paws_care.document UNION ALL SELECT subject_no, deleted FROM paws_crisis.document) AS d ON d.subject_no = s.subject_no AND NOT d.deleted) AND count(*) > 100
FROM x.person p, LATERAL paws_sync.register_device(p.token, 'desktop') AS new, LATERAL paws_sync.pull(new, NULL, 10000) AS c WHERE c.kind = 'change'
SQL

crash_free($node);
$node->stop;
done_testing();
