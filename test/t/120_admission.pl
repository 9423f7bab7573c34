# An allowance is exact however many ask at once: never more than its burst and what came since at its rate. Where there
# is no room for one, the work goes through, and somebody is told.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsNode;
use PawsProbe;
use POSIX ();

my $node = PawsNode->new_node('admission', 'paws_sync.max_subjects_limited' => 100, 'max_connections' => 80);
my $CLIENTS = 16;

sub sql { return $node->safe_psql('postgres', $_[0]) }

sub now_s { return sql('SELECT extract(epoch FROM clock_timestamp())') }

# Clients that run a script so often; dies where one fails.
sub clients
{
	my ($script, $transactions, @more) = @_;
	my $file = $node->basedir . '/clients.sql';

	unlink $file;
	append_to_file($file, $script);
	$node->command_ok([ 'pgbench', '-n', '-M', 'prepared', '-c', $CLIENTS, '-j', 2, '-t', $transactions, '-f', $file, @more,
			'-h', $node->host, '-p', $node->port, '-U', 'postgres', 'postgres' ], "$CLIENTS clients ask at once");
	return;
}

# A push of some documents by one of the devices of a subject, whose payloads have so many bytes.
sub push_script
{
	my ($devices, $count, $bytes, $collection) = @_;
	my $list = join ',', map { "'$_'" } @$devices;

	return <<"SQL";
INSERT INTO answer SELECT outcome::text, code, retry_after FROM paws_sync.push_many(
	((ARRAY[$list])[1 + :client_id % @{[ scalar @$devices ]}])::paws_sync.device,
	ARRAY(SELECT gen_random_uuid() FROM generate_series(1, $count)), array_fill('$collection'::text, ARRAY[$count]),
	ARRAY(SELECT gen_random_uuid() FROM generate_series(1, $count)), array_fill(0::bigint, ARRAY[$count]),
	array_fill(convert_to(repeat('x', $bytes), 'UTF8'), ARRAY[$count]));
SQL
}

sql('CREATE TABLE answer (outcome text, code text, retry_after interval)');
sql('CREATE TABLE got (bytes bigint, rows bigint, cut boolean)');

# Operations: counted by the answers, by what is in the queue and the feed, and by the view.
my $subject = new_subject($node, 'many', 'basic');
my @devices = map { new_device($node, 'many') } 1 .. 4;
sql("SELECT paws_sync.set_tier_policy('basic', ops_per_second => 20, ops_burst => 300, bytes_per_second => 1000000000, bytes_burst => 1000000000)");
my $from = now_s();
clients(push_script(\@devices, 3, 10, 'standard'), 40);
my $seconds = now_s() - $from;
my $most = 300 + 20 * $seconds;
my $accepted = sql("SELECT count(*) FROM answer WHERE outcome = 'accepted'");
cmp_ok($accepted, '<=', $most, "no more operations than the allowance in $seconds s");
cmp_ok($accepted, '>=', 300, 'and no fewer than the burst');
is(sql("SELECT count(*) FROM answer"), 40 * 3 * $CLIENTS, 'every operation has an answer');
is(sql("SELECT count(*) FROM answer WHERE outcome <> 'accepted' AND (outcome, code) IS DISTINCT FROM ('limited', 'rate')"), 0, 'accepted, or limited by the rate');
is(sql("SELECT count(*) FROM answer WHERE outcome = 'limited' AND (retry_after IS NULL OR retry_after <= '0' OR retry_after > '15 s')"), 0, 'with a time to come back');
wait_applied($node);
is(sql('SELECT count(*) FROM paws_care.feed'), $accepted, 'all that was accepted is applied, and nothing else');
is(sql("SELECT admitted || ' ' || limited FROM paws_sync.pg_stat_paws_sync_admission WHERE class = 'standard' AND tier = 'basic'"),
	$accepted . ' ' . (40 * 3 * $CLIENTS - $accepted), 'the view has counted the same');

# Bytes pushed: the last one may not go over, since none is larger than the burst.
sql('TRUNCATE answer');
sql("SELECT paws_sync.set_tier_policy('basic', ops_per_second => 1000000, ops_burst => 1000000, bytes_per_second => 20000, bytes_burst => 150000)");
my $second = new_subject($node, 'heavy', 'basic');
my @heavy = map { new_device($node, 'heavy') } 1 .. 4;
$from = now_s();
clients(push_script(\@heavy, 1, 1000, 'interactive'), 40);
$seconds = now_s() - $from;
$accepted = sql("SELECT count(*) FROM answer WHERE outcome = 'accepted'");
cmp_ok($accepted * 1000, '<=', 150_000 + 20_000 * $seconds, "no more bytes than the allowance in $seconds s");
cmp_ok($accepted * 1000, '>=', 150_000 - 1000, 'and no fewer than the burst');

# Bytes pulled: one payload may go over, in all together and not in each session.
wait_applied($node);
my $documents = sql("SELECT count(*) FROM paws_care.document d JOIN paws_registry.subject s USING (subject_no) WHERE s.subject::text = '$second'");
my @readers = map { new_device($node, 'heavy', 'web') } 1;
sql("SELECT paws_sync.set_tier_policy('basic', pull_bytes_per_second => 10000, pull_bytes_burst => 40500)");
$from = now_s();
clients("INSERT INTO got SELECT coalesce(sum(octet_length(payload)), 0), count(payload), bool_or(kind = 'limited') FROM paws_sync.pull('$readers[0]');\n", 10);
$seconds = now_s() - $from;
my ($bytes, $cut, $whole) = split /\|/, sql("SELECT sum(bytes), count(*) FILTER (WHERE cut), max(rows) FROM got");
cmp_ok($documents, '>', 100, 'there is more to pull than the allowance');
cmp_ok($bytes, '<=', 40_500 + 1000 + 10_000 * $seconds, "no more bytes pulled than the allowance and one document in $seconds s");
cmp_ok($bytes, '>=', 40_500, 'and no fewer than the burst');
cmp_ok($cut, '>', 0, 'the others are told to come back');
is(sql("SELECT bytes_out FROM paws_sync.pg_stat_paws_sync_admission WHERE class = 'interactive' AND tier = 'basic'"), $bytes, 'the view has counted the same');

# A reader that comes back when it is told to gets everything, each document once.
my ($cursor, %seen, $pages);
sql("SELECT paws_sync.set_tier_policy('basic', pull_bytes_per_second => 200000, pull_bytes_burst => 20000)");
while (keys %seen < $documents && $pages++ < 1000)
{
	my $from_cursor = defined $cursor ? "'$cursor'" : 'NULL';

	foreach (split /\n/, sql("SELECT \"cursor\", kind, doc_id, extract(epoch FROM retry_after) FROM paws_sync.pull_wait('$readers[0]', $from_cursor, '1 s')"))
	{
		($cursor, my $kind, my $doc, my $wait) = split /\|/;
		ok(!$seen{$doc}++, "$doc comes once") if $kind eq 'change' && $seen{$doc};
		$seen{$doc}++ if $kind eq 'change';
		ok($wait > 0, 'a page that is cut says for how long') if $kind eq 'limited' && !($wait // 0 > 0);
	}
}
is(scalar keys %seen, $documents, "all documents came, in $pages pages");

# A class with an allowance of its own: exact as well, and the others are not touched.
sql('TRUNCATE answer');
sql("SELECT paws_sync.set_tier_policy('basic', ops_per_second => 1, ops_burst => 500, bytes_per_second => 1000000000, bytes_burst => 1000000000)");
sql("SELECT paws_sync.set_policy('bulk', 'basic', ops_per_second => 5, ops_burst => 40)");
new_subject($node, 'classes', 'basic');
my @own = map { new_device($node, 'classes') } 1 .. 4;
$from = now_s();
clients(push_script(\@own, 1, 10, 'bulk'), 20);
$seconds = now_s() - $from;
$accepted = sql("SELECT count(*) FROM answer WHERE outcome = 'accepted'");
cmp_ok($accepted, '<=', 40 + 5 * $seconds, 'no more than the class has');
cmp_ok($accepted, '>=', 40, 'and no fewer than its burst');
is($node->safe_psql('postgres', push_some($own[0], 500)), 500, 'the allowance of the tier is whole');

# Limits change while everybody asks: nobody gets more than the larger of them gives.
sql('TRUNCATE answer');
new_subject($node, 'changing', 'premium');
my @changing = map { new_device($node, 'changing') } 1 .. 4;
sql("SELECT paws_sync.set_tier_policy('premium', ops_per_second => 10, ops_burst => 100)");
$from = now_s();
my $changes = fork() // die;
if (!$changes)
{
	foreach my $n (1 .. 30)
	{
		my $burst = $n % 2 ? 50 : 100;
		$node->psql('postgres', "SELECT paws_sync.set_tier_policy('premium', ops_burst => $burst)");
	}
	POSIX::_exit(0);
}
clients(push_script(\@changing, 1, 10, 'standard'), 40);
waitpid($changes, 0);
$seconds = now_s() - $from;
# where the smaller burst comes into force, what was used up beyond it is forgiven
$accepted = sql("SELECT count(*) FROM answer WHERE outcome = 'accepted'");
cmp_ok($accepted, '<=', 100 + 50 * 30 + 10 * $seconds, 'changes forgive no more than what they take away');

# As fast as it goes, so that questions meet: each session asks in a loop, for a subject that nobody else has. All sessions
# together get what one would.
my $library = build_module('admission_calls');
sql(<<"SQL");
CREATE FUNCTION ask_push(bigint, int, int, bigint, int) RETURNS bigint LANGUAGE c AS '$library';
CREATE FUNCTION ask_pull(bigint, int, int, bigint, int) RETURNS bigint LANGUAGE c AS '$library';
CREATE FUNCTION ask_budget(bigint, int) RETURNS bigint LANGUAGE c AS '$library';
CREATE TABLE asked (what text, admitted bigint);
SELECT paws_sync.set_tier_policy('basic', 1000000, 1000000, 1000000000, 1000000000, NULL, NULL, NULL, NULL, NULL, 1000000000, 1000000000);
SELECT paws_sync.set_policy('session', 'basic', ops_per_second => 1000, ops_burst => 1000000);
SELECT paws_sync.set_policy('bulk', 'basic', ops_per_second => 1000000, ops_burst => 10000000, bytes_per_second => 1000, bytes_burst => 1000000);
SELECT paws_sync.set_policy('standard', 'basic', pull_bytes_per_second => 1000, pull_bytes_burst => 1000001);
SQL
my %asked = (
	# what: call, burst, rate in a second, and what may go over
	operations => [ 'ask_push(99999999, 2, 4, 0, 200000)', 1_000_000, 1000, 0 ],
	'bytes pushed' => [ 'ask_push(99999999, 2, 7, 1, 200000)', 1_000_000, 1000, 0 ],
	'bytes pulled' => [ 'ask_pull(99999999, 2, 6, 1, 200000)', 500_001, 500, $CLIENTS ]);
foreach my $what (sort keys %asked)
{
	my ($call, $burst, $rate, $over) = @{ $asked{$what} };

	$from = now_s();
	clients("INSERT INTO asked SELECT '$what', $call;\n", 1);
	$seconds = now_s() - $from;
	my $admitted = sql("SELECT sum(admitted) FROM asked WHERE what = '$what'");
	cmp_ok($admitted, '<=', $burst + $rate * $seconds + $over, "$what: no more than the allowance");
	cmp_ok($admitted, '>=', $burst, "$what: and no fewer than the burst");
}
set_option($node, 'paws_sync.byte_budget', "'100kB'");
ok(until_sql($node, "SELECT capacity = 102400 FROM paws_sync.pg_stat_paws_sync_reserve WHERE resource = 'bytes'"), 'a budget');
$from = now_s();
clients("INSERT INTO asked SELECT 'budget', ask_budget(10, 100000);\n", 1);
$seconds = now_s() - $from;
cmp_ok(10 * sql("SELECT sum(admitted) FROM asked WHERE what = 'budget'"), '<=', 102_400 * ($seconds + 0.02) + 10, 'no more than the budget');
set_option($node, 'paws_sync.byte_budget', 0);
ok(until_sql($node, "SELECT capacity IS NULL FROM paws_sync.pg_stat_paws_sync_reserve WHERE resource = 'bytes'"), 'no budget');

# No room: 100 subjects are asked for, several times as many come and use up much. All are served, and it is said.
sql("DELETE FROM paws_queue.tier_policy WHERE NOT shipped; DELETE FROM paws_queue.policy WHERE NOT shipped; SELECT paws_sync.stat_reset();");
sql("SELECT paws_sync.set_tier_policy('trial', ops_per_second => 1, ops_burst => 100)");
is(sql("SELECT ok FROM paws_sync.doctor() WHERE check_name = 'let through without an allowance'"), 't', 'the doctor is content before');
my $all = sql(<<'SQL');
SELECT count(*) FROM (SELECT p.outcome FROM (SELECT paws_sync.register_device(paws_sync.subject_for('crowd ' || n), 'ios') AS device FROM generate_series(1, 500) n) d,
	paws_sync.push_many(d.device, ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 60)), array_fill('background'::text, ARRAY[60]),
		ARRAY(SELECT gen_random_uuid() FROM generate_series(1, 60)), array_fill(0::bigint, ARRAY[60]), NULL::bytea[] || array_fill(''::bytea, ARRAY[60])) p
	WHERE p.outcome = 'accepted') x
SQL
is($all, 500 * 60, 'whoever has no allowance is let through');
my $untracked = sql("SELECT untracked FROM paws_sync.pg_stat_paws_sync_admission WHERE class = 'background' AND tier = 'trial'");
cmp_ok($untracked, '>', 0, 'and counted');
like(sql("SELECT state || ' ' || detail FROM paws_sync.status() WHERE component = 'admission'"), qr/^open .*, $untracked let through/, 'status says so');
like(sql("SELECT ok || ' ' || value || ' ' || hint FROM paws_sync.doctor() WHERE check_name = 'let through without an allowance'"),
	qr/^false $untracked .*"paws_sync.max_subjects_limited"/, 'and the doctor says what to do');
sql('SELECT paws_sync.stat_reset()');
is(sql("SELECT state FROM paws_sync.status() WHERE component = 'admission'"), 'ready', 'until counting begins anew');

crash_free($node);
$node->stop;
done_testing();
