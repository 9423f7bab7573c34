# Who may call functions can do no more than they do: what others plant where names are looked for is never
# called with our rights, and names are never taken for SQL.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('intruders', -no_extension => 1, 'paws_sync.databases' => 'postgres, "we""ird; DROP TABLE x"');

# Traps, from before the extension is created: functions and operators of names that SQL of ours uses, some for
# the same arguments and some that would fit better. Each notes who called it.
my $traps = <<'SQL';
CREATE TABLE SCHEMA.caught (who name, what text);
GRANT INSERT, SELECT ON SCHEMA.caught TO PUBLIC;
CREATE FUNCTION SCHEMA.note(what text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO SCHEMA.caught VALUES (current_user, what); RETURN true; END $$;
CREATE FUNCTION SCHEMA.same(bigint, bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT SCHEMA.note('operator bigint') $$;
CREATE FUNCTION SCHEMA.same(smallint, integer) RETURNS boolean LANGUAGE sql AS $$ SELECT SCHEMA.note('operator smallint') $$;
CREATE FUNCTION SCHEMA.same(integer, smallint) RETURNS boolean LANGUAGE sql AS $$ SELECT SCHEMA.note('operator integer') $$;
CREATE FUNCTION SCHEMA.same(smallint, bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT SCHEMA.note('operator smallint, bigint') $$;
CREATE FUNCTION SCHEMA.same(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT SCHEMA.note('operator text') $$;
CREATE FUNCTION SCHEMA.same(uuid, uuid) RETURNS boolean LANGUAGE sql AS $$ SELECT SCHEMA.note('operator uuid') $$;
CREATE FUNCTION SCHEMA.same(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS $$ SELECT SCHEMA.note('operator timestamptz') $$;
CREATE FUNCTION SCHEMA.same(anyelement, anyelement) RETURNS boolean LANGUAGE sql AS $$ SELECT SCHEMA.note('operator any') $$;
CREATE FUNCTION SCHEMA.minus(bigint, bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT SCHEMA.note('minus')::integer::bigint $$;
CREATE FUNCTION SCHEMA.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT CASE WHEN SCHEMA.note('now') THEN pg_catalog.now() END $$;
CREATE FUNCTION SCHEMA.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT CASE WHEN SCHEMA.note('clock_timestamp') THEN pg_catalog.now() END $$;
CREATE FUNCTION SCHEMA.nextval(text) RETURNS bigint LANGUAGE sql AS $$ SELECT SCHEMA.note('nextval')::integer::bigint $$;
CREATE FUNCTION SCHEMA.octet_length(bytea) RETURNS integer LANGUAGE sql AS $$ SELECT SCHEMA.note('octet_length')::integer $$;
CREATE FUNCTION SCHEMA.make_interval(secs numeric) RETURNS interval LANGUAGE sql AS $$ SELECT CASE WHEN SCHEMA.note('make_interval') THEN interval '1 s' END $$;
CREATE FUNCTION SCHEMA.make_interval(hours integer) RETURNS interval LANGUAGE sql AS $$ SELECT CASE WHEN SCHEMA.note('make_interval') THEN interval '1 s' END $$;
CREATE FUNCTION SCHEMA.array_position(anyarray, anyelement) RETURNS integer LANGUAGE sql AS $$ SELECT SCHEMA.note('array_position')::integer $$;
CREATE FUNCTION SCHEMA.enum_range(anyenum) RETURNS anyarray LANGUAGE sql AS $$ SELECT CASE WHEN SCHEMA.note('enum_range') THEN pg_catalog.enum_range($1) END $$;
CREATE FUNCTION SCHEMA.unnest(bigint[]) RETURNS SETOF bigint LANGUAGE sql AS $$ SELECT 1::bigint WHERE SCHEMA.note('unnest') $$;
CREATE FUNCTION SCHEMA.generate_series(integer, integer) RETURNS SETOF integer LANGUAGE sql AS $$ SELECT 1 WHERE SCHEMA.note('generate_series') $$;
CREATE AGGREGATE SCHEMA.max (bigint) (SFUNC = SCHEMA.minus, STYPE = bigint);
SQL
foreach my $types ('bigint, bigint', 'smallint, integer', 'integer, smallint', 'smallint, bigint', 'text, text', 'uuid, uuid', 'timestamptz, timestamptz')
{
	my ($left, $right) = split /, /, $types;
	$traps .= "CREATE OPERATOR SCHEMA.$_ (FUNCTION = SCHEMA.same, LEFTARG = $left, RIGHTARG = $right);\n" foreach qw(= < > <= >= <>);
}
$traps .= "CREATE OPERATOR SCHEMA.- (FUNCTION = SCHEMA.minus, LEFTARG = bigint, RIGHTARG = bigint);\n";
(my $in_public = $traps) =~ s/SCHEMA/public/g;
(my $in_temp = $traps) =~ s/SCHEMA/pg_temp/g;
$in_temp =~ s/CREATE AGGREGATE.*\n//;

$node->safe_psql('postgres', 'CREATE ROLE intruder LOGIN; CREATE ROLE app LOGIN; CREATE ROLE stranger LOGIN; GRANT CREATE ON SCHEMA public TO intruder; GRANT CREATE, TEMPORARY ON DATABASE postgres TO intruder');
$node->safe_psql('postgres', $in_public, extra_params => [ '-U', 'intruder' ]);
$node->safe_psql('postgres', 'SET client_min_messages = warning; SET search_path = public, pg_catalog; CREATE EXTENSION paws_sync CASCADE');
PawsNode::wait_workers($node);
is($node->safe_psql('postgres', 'SELECT * FROM public.caught'), '', 'CREATE EXTENSION calls nothing that was planted');
$node->safe_psql('postgres', <<'SQL');
GRANT USAGE ON SCHEMA paws_sync TO intruder, app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA paws_sync TO intruder;
GRANT SELECT ON ALL TABLES IN SCHEMA paws_sync TO intruder;
GRANT USAGE ON TYPE paws_sync.device, paws_sync.subject TO intruder;
SQL

# More traps, for our own types.
$node->safe_psql('postgres', <<'SQL', extra_params => [ '-U', 'intruder' ]);
CREATE FUNCTION public.same(paws_sync.device, paws_sync.device) RETURNS boolean LANGUAGE sql AS $$ SELECT public.note('operator device') $$;
CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = paws_sync.device, RIGHTARG = paws_sync.device);
CREATE FUNCTION public.same(paws_sync.subject, paws_sync.subject) RETURNS boolean LANGUAGE sql AS $$ SELECT public.note('operator subject') $$;
CREATE OPERATOR public.= (FUNCTION = public.same, LEFTARG = paws_sync.subject, RIGHTARG = paws_sync.subject);
CREATE FUNCTION public.vocabulary() RETURNS TABLE (kind text, code integer, name text) LANGUAGE sql AS $$ SELECT 'x', 1, 'y' WHERE public.note('vocabulary') $$;
CREATE FUNCTION public.check_subject(paws_sync.subject) RETURNS paws_sync.subject LANGUAGE sql AS $$ SELECT CASE WHEN public.note('check_subject') THEN $1 END $$;
SQL

# Every function, called by the intruder with a path that leads into the traps.
my $path = "SET search_path = public, pg_temp, pg_catalog;\n";
my $temp = $in_temp;
$temp .= "CREATE TEMP TABLE $_ (id bigint, subject_no bigint, device_no bigint, kind text, code integer, name text);\n"
  foreach qw(operation subject device collection feed document counter policy effective_policy vocabulary resource data_key pg_proc pg_type pg_namespace);
my $script = $temp . <<'SQL';
SET search_path = public, pg_temp, pg_catalog;
SELECT paws_sync.define_collection('standard', 'standard');
SELECT paws_sync.define_collection('safety', 'safety', 'branch');
SELECT paws_sync.subject_for('one') AS s \gset
SELECT paws_sync.set_entitlement(:'s', 'premium', 'infinity');
SELECT paws_sync.register_device(:'s', 'ios') AS d \gset
SELECT paws_sync.register_device(:'s', 'web') AS e \gset
SELECT outcome FROM paws_sync.push(:'d', '[{"op_id": "11111111-1111-1111-1111-111111111111", "collection": "standard", "doc_id": "21111111-1111-1111-1111-111111111111", "base_revision": 0, "payload": "aGVsbG8="}, {"op_id": "12111111-1111-1111-1111-111111111111", "collection": "safety", "doc_id": "22111111-1111-1111-1111-111111111111", "base_revision": 0, "payload": "aGVsbG8="}]');
SELECT outcome FROM paws_sync.push_many(:'d', '{13111111-1111-1111-1111-111111111111,14111111-1111-1111-1111-111111111111}', '{standard,standard}', '{23111111-1111-1111-1111-111111111111,24111111-1111-1111-1111-111111111111}', '{0,0}', '{x,y}', '{f,t}');
SELECT kind FROM paws_sync.pull(:'e');
SELECT kind FROM paws_sync.pull_wait(:'e', NULL, '2 s', 10);
SELECT outcome FROM paws_sync.push_crisis(:'d', '[{"op_id": "15111111-1111-1111-1111-111111111111", "collection": "safety", "doc_id": "25111111-1111-1111-1111-111111111111", "base_revision": 0, "payload": "aGVsbG8="}]');
SELECT kind FROM paws_sync.pull_crisis(:'e');
SELECT paws_sync.set_resource('us', 'line', 'call', '123');
SELECT kind FROM paws_sync.crisis_bundle(:'e', 'us');
SELECT paws_sync.drop_resource('gb', 'samaritans', 'call');
SELECT "cursor" AS c FROM paws_sync.pull(:'e', NULL, 1) LIMIT 1 \gset
SELECT paws_sync.ack(:'e', :'c');
SELECT outcome FROM paws_sync.receipts(:'d', '{11111111-1111-1111-1111-111111111111}');
SELECT platform FROM paws_sync.devices(:'s');
SELECT behind FROM paws_sync.sync_status(:'s');
SELECT state FROM paws_sync.status();
SELECT * FROM paws_sync.collections;
SELECT * FROM paws_sync.resources;
SELECT * FROM paws_sync.policy;
SELECT * FROM paws_sync.tier_policy;
SELECT * FROM paws_sync.pg_stat_paws_sync_latency;
SELECT * FROM paws_sync.pg_stat_paws_sync_lanes;
SELECT * FROM paws_sync.pg_stat_paws_sync_workers;
SELECT paws_sync.set_policy('standard', 'basic', 'standard', 4000);
SELECT paws_sync.set_tier_policy('basic', max_devices => 4);
SELECT paws_sync.stat_reset();
SELECT paws_sync.revoke_device(:'d');
SELECT count(*) AS temp_caught FROM pg_temp.caught WHERE pg_catalog.texteq(who::text, 'postgres');
SQL
my ($status, $out, $err);
$status = $node->psql('postgres', $script, stdout => \$out, stderr => \$err, extra_params => [ '-U', 'intruder' ], on_error_stop => 1);
is("$status $err", '0 ', 'the intruder calls everything') or diag($out);
like($out, qr/\n0$/, 'nothing in pg_temp was called with our rights');
PawsNode::wait_applied($node);
is($node->safe_psql('postgres', "SET search_path = pg_catalog; SELECT * FROM public.caught WHERE who <> 'intruder'"), '', 'nothing in public either, nor by workers');
isnt($node->safe_psql('postgres', "$path SELECT 1::bigint = 1::bigint; RESET search_path; SELECT count(*) FROM public.caught"), "t\n0", 'though the traps do work');

# Nothing of ours is left to the caller's path.
is($node->safe_psql('postgres', <<'SQL'), '', 'every function with our rights has its own path');
SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname LIKE 'paws%' AND prosecdef AND NOT coalesce(proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']
SQL

# A role that may push and pull, and no more.
$node->safe_psql('postgres', <<'SQL');
GRANT EXECUTE ON FUNCTION paws_sync.push(paws_sync.device, jsonb), paws_sync.pull(paws_sync.device, paws_sync.cursor, integer, integer) TO app;
SQL
my $subject = new_subject($node, 'patient', 'premium');
my $device = new_device($node, 'patient');
my %as_app = (user => 'app');
is(error_of($node, "SELECT outcome FROM paws_sync.push('$device', '[@{[op_json('standard')]}]')", %as_app)->{output}, 'accepted', 'it pushes');
PawsNode::wait_applied($node);
is(error_of($node, "SELECT kind FROM paws_sync.pull('$device')", %as_app)->{output}, 'change', 'it pulls');
is($node->safe_psql('postgres', <<'SQL'), '', 'it can read and write no table, view or sequence');
SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname LIKE 'paws%' AND c.relkind IN ('r', 'v', 'S', 'm', 'p')
AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege('app', c.oid, 'USAGE, SELECT, UPDATE')
	ELSE has_table_privilege('app', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') OR has_any_column_privilege('app', c.oid, 'SELECT, INSERT, UPDATE') END
SQL
is($node->safe_psql('postgres', <<'SQL'), '', 'it can call no other function that has our rights');
SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname LIKE 'paws%' AND (prosecdef OR provolatile = 'v') AND has_function_privilege('app', p.oid, 'EXECUTE') AND proname NOT IN ('push', 'pull')
SQL
is($node->safe_psql('postgres', <<'SQL'), '', 'it can create nothing in our schemas');
SELECT string_agg(nspname, ' ') FROM pg_namespace WHERE nspname LIKE 'paws%' AND (has_schema_privilege('app', oid, 'CREATE') OR nspname <> 'paws_sync' AND has_schema_privilege('app', oid, 'USAGE'))
SQL
error_like($node, 'SELECT * FROM paws_registry.device', '42501', undef, 'reading a table is refused', %as_app);
error_like($node, "SELECT paws_sync.subject_for('x')", '42501', undef, 'calling another function too', %as_app);
error_like($node, 'SELECT * FROM paws_sync.collections', '42501', undef, 'a view too', %as_app);
error_like($node, "SELECT * FROM paws_sync.push('$device', '[]')", '42501', undef, 'who was given nothing can do nothing', user => 'stranger');
error_like($node, "SET paws_sync.pool_size = 1", '55P02', undef, 'settings are not theirs', %as_app);

# Names are data.
my @names = ("'; DROP TABLE paws_queue.operation; --", 'a b', 'A', '', 'x' x 100, 'public.x', '"x"', '$1', "x\ny", '@schema@', "\x{c3}\x{a4}");
foreach my $name (@names)
{
	(my $quoted = $name) =~ s/'/''/g;
	error_like($node, "SELECT paws_sync.define_collection('$quoted', 'standard')", '22023', undef, 'no name of a collection: ' . substr($name, 0, 20) =~ s/\n/ /r);
	is($node->safe_psql('postgres', "SELECT outcome || ' ' || code FROM paws_sync.push_many('$device', ARRAY[gen_random_uuid()], ARRAY['$quoted'], ARRAY[gen_random_uuid()], '{0}', '{x}')"),
		'rejected unknown_collection', 'nor in a push');
	error_like($node, "SELECT paws_sync.register_device('$subject', '$quoted')", '22023', undef, 'nor of a platform');
	error_like($node, "SELECT paws_sync.define_collection('good', 'standard', '$quoted')", '22023', undef, 'nor of a conflict policy');
	my $expected = $name eq '' ? '22023' : '';
	is(error_of($node, "SELECT paws_sync.subject_for('$quoted')")->{sqlstate}, $expected, 'as a reference it is as good as any');
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_queue.operation'), 0, 'all tables are there');

# A database with a name that needs quoting.
$node->safe_psql('postgres', 'CREATE DATABASE "we""ird; DROP TABLE x"');
$node->safe_psql('we"ird; DROP TABLE x', 'SET client_min_messages = warning; CREATE EXTENSION paws_sync CASCADE');
ok(has_workers($node, 'we"ird; DROP TABLE x', 2), 'a database with a strange name is served');

# What an owner of a database sets for it does not reach the workers.
$node->safe_psql('postgres', <<'SQL');
ALTER DATABASE postgres SET default_transaction_read_only = on;
ALTER DATABASE postgres SET default_transaction_isolation = 'serializable';
ALTER DATABASE postgres SET statement_timeout = '1ms';
ALTER DATABASE postgres SET search_path = public, pg_catalog;
ALTER DATABASE postgres SET synchronous_commit = off;
ALTER ROLE ALL SET idle_in_transaction_session_timeout = '1ms';
ALTER ROLE ALL SET row_security = off;
ALTER ROLE postgres SET default_transaction_read_only = on;
SQL
my $loose = 'SET statement_timeout = 0; SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE, ISOLATION LEVEL READ COMMITTED; SET idle_in_transaction_session_timeout = 0; SET search_path = pg_catalog;';
my @before = split /\n/, $node->safe_psql('template1', "$loose SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'paws_sync%' AND pg_terminate_backend(pid)");
ok(until_sql($node, "SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>=) 4 FROM pg_stat_activity WHERE backend_type LIKE 'paws_sync%' AND pid NOT IN (" . join(',', @before) . ')', database => 'template1'), 'workers are started anew');
is($node->safe_psql('postgres', $loose . push_some($device, 20)), 20, 'and there is work');
ok(within(60, sub { $node->safe_psql('postgres', "$loose SELECT count(*) FROM paws_queue.operation") eq '0' }), 'which they do');
is($node->safe_psql('postgres', "$loose SELECT count(*) FROM public.caught WHERE who = 'postgres' AND what <> 'operator bigint'"), 0, 'on their own path');

crash_free($node);
$node->stop;
done_testing();
