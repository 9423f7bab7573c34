# What sealing may cost, and what must never repeat: nonces of many sessions, payloads at their ceiling, envelopes that
# claim to hold more than there is, and the keys that a process keeps open.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use PawsKeyring;
use PawsNode;
use PawsProbe;

my $MAX = 67_108_864;
my $MEMORY = 1024 * 1024;    # kB; the most that a process may come to with a payload of $MAX

my $node = PawsNode->new_node('limits', 'paws_sync.crisis_max_payload' => '64MB', 'max_wal_size' => '4GB');

sub rows
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

my $library = build_module('vault_calls');
rows("CREATE FUNCTION cached_keys() RETURNS int LANGUAGE c AS '$library';"
	  . "CREATE FUNCTION forge(boolean, bigint, bytea, int, uuid, uuid, int, bytea) RETURNS bytea STRICT LANGUAGE c AS '$library';"
	  . "CREATE FUNCTION revision_seal(boolean, bytea, bigint, uuid, bigint) RETURNS bytea STRICT LANGUAGE c AS '$library';"
	  . q{CREATE FUNCTION memory(pid int) RETURNS int LANGUAGE sql AS $$ SELECT substring(pg_read_file('/proc/' || pid || '/status') FROM 'VmHWM:\s+(\d+) kB')::int $$});
rows("SELECT paws_sync.define_collection('simple', 'bulk', sealing => 'standard', compressible => false), paws_sync.define_collection('packed', 'bulk'), "
	  . "paws_sync.define_collection('aes', 'bulk', sealing => 'aes', compressible => false), paws_sync.define_collection('layered', 'bulk', sealing => 'layered')");
rows('SELECT paws_sync.set_tier_policy(t, ops_burst => 1000000, bytes_burst => 100000000000, bytes_per_second => 100000000000) '
	  . "FROM unnest('{trial,premium,grace_period}'::paws_sync.tier[]) t");
rows("SELECT paws_sync.set_tier_policy('premium', max_payload => $MAX); SELECT paws_sync.set_tier_policy('premium', max_devices => 1000)");

# Many sessions at once, the same payload: nothing that has to be unique repeats.
my $SESSIONS = 8;
my %many = (simple => 1000, aes => 700, layered => 800, safety => 100);
my @pids;
foreach my $n (1 .. $SESSIONS)
{
	my $device = new_device($node, "many $n");
	my $base = "$PostgreSQL::Test::Utils::tmp_check/many$n";

	append_to_file("$base.sql", push_some($device, $many{$_}, $_)) foreach sort keys %many;
	push @pids, start_psql($node, "$base.sql", "$base.out", "$base.err");
}
waitpid($_, 0) foreach @pids;
wait_applied($node);
foreach my $case ([ 'simple', 'care', 33, 24, 57 ], [ 'aes', 'care', 33, 32, 65 ], [ 'layered', 'care', 37, 32, 69 ], [ 'safety', 'crisis', 37, 32, 69 ])
{
	my ($collection, $lane, $at, $bytes, $commitment) = @$case;
	my $count = $SESSIONS * $many{$collection};

	is(rows("SELECT count(*), count(DISTINCT substring(envelope, $at, $bytes)), count(DISTINCT substring(envelope, $commitment, 32)), count(DISTINCT octet_length(envelope)) "
			. "FROM paws_$lane.document d JOIN paws_registry.collection c ON c.collection_no = d.collection WHERE c.name = '$collection'"),
		"$count|$count|$count|1", "$count documents of collection $collection share nothing but their size");
}

# The largest payload, in each way to seal it; in the backend that pushes, the worker that applies, the one that pulls.
my $big = new_subject($node, 'big', 'premium');
my $phone = new_device($node, 'big');
rows("CREATE TABLE payload AS SELECT string_agg(sha512(n::text::bytea), '') AS noise, convert_to(repeat('calm', $MAX / 4), 'UTF8') AS calm FROM generate_series(1, $MAX / 64) n");
foreach my $case ([ 'simple', 'noise' ], [ 'packed', 'noise' ], [ 'packed', 'calm' ], [ 'layered', 'noise' ], [ 'safety', 'noise' ])
{
	my ($collection, $payload) = @$case;
	my $tablet = new_device($node, 'big', 'web');
	my ($doc, $answer, $memory) = (new_uuid());

	($answer, $memory) = split /\n/, rows("SELECT outcome, code FROM paws_sync.push_many('$phone', ARRAY[gen_random_uuid()], '{$collection}', ARRAY['$doc'::uuid], '{0}', ARRAY(SELECT $payload FROM payload));"
		  . ' SELECT memory(pg_backend_pid())');
	is($answer, 'accepted|', "$collection takes 64 MB of $payload");
	cmp_ok($memory, '<', $MEMORY, 'in bounded memory');
	wait_applied($node);
	($answer, $memory) = split /\n/, rows("SELECT p.payload = (SELECT $payload FROM payload) FROM paws_sync.pull('$tablet', NULL, 10, $MAX) p WHERE doc_id = '$doc'; SELECT memory(pg_backend_pid())");
	is($answer, 't', 'and gives them back');
	cmp_ok($memory, '<', $MEMORY, 'in bounded memory');
	rows("DELETE FROM paws_care.document WHERE doc_id = '$doc'; DELETE FROM paws_crisis.document WHERE doc_id = '$doc'");
	is(rows("SELECT outcome, code FROM paws_sync.push_many('$phone', ARRAY[gen_random_uuid()], '{$collection}', ARRAY[gen_random_uuid()], '{0}', ARRAY(SELECT $payload || '\\x00'::bytea FROM payload))"),
		'rejected|too_large', 'one byte more is too much');
}

# Many large ones that wait: a worker takes as many at once as it has memory for.
pause_workers($node);
rows("SELECT count(*) FROM (SELECT paws_sync.push_many('$phone', ARRAY[gen_random_uuid()], '{simple}', ARRAY[gen_random_uuid()], '{0}', ARRAY(SELECT substring(noise, 1, 16777216) FROM payload)) FROM generate_series(1, 40)) x");
resume_workers($node);
wait_applied($node);
cmp_ok(rows("SELECT max(memory(pid)) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'pool'"), '<', $MEMORY, '40 operations of 16 MB are applied in bounded memory');
is(rows("SELECT sum(errors) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'pool'"), 0, 'without a failure');
rows("DELETE FROM paws_care.document WHERE octet_length(envelope) > 1000000");

# Envelopes in which all is right but what they claim of the payload: what is restored is bounded, and in the crisis
# lane, where anybody may seal to a public key, nothing is restored at all.
my $subject = new_subject($node, 'forged', 'premium');
my $writer = new_device($node, 'forged');
my $reader = new_device($node, 'forged', 'web');
my ($care_doc, $crisis_doc) = (new_uuid(), new_uuid());
paws_push($node, $writer, [ op_json('packed', doc_id => $care_doc), op_json('safety', doc_id => $crisis_doc) ]);
wait_applied($node);
my $zstd = '28b52ffd200529000068656c6c6f';    # a frame of "hello"

sub forged
{
	my ($lane, $codec, $stored) = @_;
	my ($crisis, $doc) = $lane eq 'crisis' ? ('true', $crisis_doc) : ('false', $care_doc);
	my ($answer, $memory) = split /\n/, rows(<<"SQL");
BEGIN;
UPDATE paws_$lane.document d SET envelope = forge($crisis, d.subject_no, s.id, d.collection, d.doc_id, d.op_id, $codec, '\\x$stored')
	FROM (SELECT subject_no, substring(paws_sync.subject_send(subject), 1, 16) AS id FROM paws_registry.subject WHERE subject::text = '$subject') s WHERE d.subject_no = s.subject_no;
UPDATE paws_$lane.document SET seal = revision_seal($crisis, envelope, subject_no, doc_id, revision) WHERE doc_id = '$doc';
SELECT concat_ws(' ', kind, code, encode(payload, 'escape')) FROM paws_sync.pull('$reader') WHERE doc_id = '$doc';
ROLLBACK;
SELECT memory(pg_backend_pid());
SQL

	cmp_ok($memory, '<', 200_000, 'takes no memory');
	return $answer;
}
is(forged('crisis', 0, '68656c6c6f'), 'change hello', 'what is forged well is opened: in the crisis lane');
is(forged('care', 0, '68656c6c6f'), 'change hello', 'and in the ordinary one');
is(forged('care', 2, "00000005$zstd"), 'change hello', 'compressed as well');
is(forged('care', 1, '0000000550' . '68656c6c6f'), 'change hello', 'with both codecs');
is(forged('crisis', 2, "00000005$zstd"), 'unreadable envelope_rejected', 'but nothing compressed in the crisis lane');
is(forged('crisis', 1, '0000000550' . '68656c6c6f'), 'unreadable envelope_rejected', 'with either codec');
is(forged('care', 2, "$_$zstd"), 'unreadable envelope_rejected', "a claim of 0x$_ bytes is not believed") foreach qw(00000004 00000006 00000000 04000000 04000001 3fffffff 7fffffff ffffffff);
is(forged('care', 1, "${_}5068656c6c6f"), 'unreadable envelope_rejected', "nor 0x$_ with the other codec") foreach qw(00000004 00000006 04000001 7fffffff ffffffff);
is(forged('care', 2, $_), 'unreadable envelope_rejected', 'what is no compressed form is no payload') foreach '', '00', '00000005', '0000000528b52ffd', "00000005${zstd}00", "0000000a$zstd$zstd";

# Keys that a session keeps: few, for a second, whatever happens to it meanwhile.
my $session = session($node);
rows("SELECT count(paws_sync.register_device(paws_sync.subject_for('crowd ' || n), 'ios')) FROM generate_series(1, 400) n");
is($session->query_safe('SELECT cached_keys()'), 0, 'a session begins without keys');
$session->query_safe("SELECT paws_sync.push_many(device, ARRAY[gen_random_uuid(), gen_random_uuid()], '{simple,safety}', ARRAY[gen_random_uuid(), gen_random_uuid()], '{0,0}', '{x,y}') "
	  . 'FROM paws_registry.device');
is($session->query_safe('SELECT cached_keys()'), 256, 'after hundreds of subjects it has a bounded number');
$session->quit;
set_option($node, 'paws_sync.key_cache_ttl', "'1s'");
$session = session($node);

# Statements of which one fails; the session would take the message for that of the next query.
sub fail_in
{
	my ($in, $sql) = @_;

	$in->query($sql);
	$in->{stderr} = '';
	return;
}

sub warm
{
	$session->query_safe("SELECT count(*) FROM paws_sync.push_many('$writer', ARRAY[gen_random_uuid()], '{simple}', ARRAY[gen_random_uuid()], '{0}', '{x}')");
	return $session->query_safe('SELECT cached_keys() > 0');
}
ok(within(30, sub { warm() eq 't' }), 'one that pushes has a key');
ok(within(30, sub { $session->query_safe('SELECT cached_keys()') == 0 }), 'and after a second none, though it does nothing');
ok(within(30, sub { warm() eq 't' }), 'then it has one again');
fail_in($session, 'SELECT 1 / 0');
ok(within(30, sub { $session->query_safe('SELECT cached_keys()') == 0 }), 'which goes in time, after an error too');
ok(within(30, sub { warm() eq 't' }), 'another one');
fail_in($session, 'BEGIN; SELECT 1 / 0; SELECT 1; ROLLBACK');
ok(within(30, sub { $session->query_safe('SELECT cached_keys()') == 0 }), 'and after errors in a row');
$session->quit;
crash_free($node);
$node->stop;
done_testing();
