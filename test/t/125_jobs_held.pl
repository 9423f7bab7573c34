# Rows that somebody holds keep the timer from none but themselves, however many they are; and neither does a count of what a
# start left keep it from anything.

use strict;
use warnings;

use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;

# More than the timer looks at in one slice.
use constant HELD => 1100;

my $node = PawsNode->new_node('jobs_held', 'paws_sync.max_leases' => 5000);

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Locks what is selected, until it is let go of.
sub hold
{
	my ($name, $statement) = @_;
	my $base = "$PostgreSQL::Test::Utils::tmp_check/$name";

	append_to_file("$base.sql", "SET application_name = '$name';\nBEGIN;\n$statement;\nSELECT pg_sleep(600);\n");
	my $pid = start_psql($node, "$base.sql", "$base.out", "$base.err");
	wait_for_sql($node, "$name: the lock", "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = '$name' AND query LIKE '%pg_sleep%'");
	return $pid;
}

sub let_go
{
	my ($name, $pid) = @_;

	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '$name'");
	waitpid($pid, 0);
}

sub states
{
	my ($topic) = @_;

	return sql("SELECT string_agg(DISTINCT s.state || ' ' || s.attempts, ', ' ORDER BY s.state || ' ' || s.attempts) FROM j, paws_sync.job_status(j.job) s WHERE j.topic = '$topic'");
}

sub wait_states
{
	my ($topic, $states, $what) = @_;

	wait_for_sql($node, $what, "SELECT string_agg(DISTINCT s.state || ' ' || s.attempts, ', ') = '$states' FROM j, paws_sync.job_status(j.job) s WHERE j.topic = '$topic'");
	pass($what);
}

sql('CREATE TABLE j (topic text, job bigint)');
sql("SELECT paws_sync.define_topic(name, history => '1 h') FROM unnest('{held,other}'::text[]) AS name");
wait_for_sql($node, 'tables of history', "SELECT count(*) >= 2 FROM pg_tables WHERE schemaname = 'paws_queue' AND tablename ~ '^history_[0-9]{8}\$'");

sub submit
{
	my ($topic, $count, $rest) = @_;

	sql("INSERT INTO j SELECT '$topic', job FROM paws_sync.submit_many('$topic', array_fill('x'::bytea, '{$count}')$rest)");
}

# Leases that are over.
submit('held', HELD, '');
my $holder = hold('holder', 'SELECT count(*) FROM (SELECT FROM paws_queue.job FOR UPDATE) AS held');
is(sql("SELECT count(*) FROM paws_sync.claim('{held}', 1000, '0.2 s') UNION ALL SELECT count(*) FROM paws_sync.claim('{held}', 1000, '0.2 s')"),
	"1000\n" . (HELD - 1000), 'jobs are claimed whose rows somebody holds');
submit('other', 10, '');
is(sql("SELECT count(*) FROM paws_sync.claim('{other}', 100, '0.2 s')"), 10, 'and others');
wait_states('other', 'available 1', 'leases of others end');
is(states('held'), 'running 0', 'beside the held ones');
let_go('holder', $holder);
wait_states('held', 'available 1', 'let go of, theirs end too');

# What is due, and what is too late.
foreach my $case ([ 'not_before', 'available 0', 'scheduled 0' ], [ 'expires_at', 'expired 0', 'available 0' ])
{
	my ($argument, $after, $before) = @$case;

	sql("SELECT count(paws_sync.cancel(job)) FROM j; TRUNCATE j");
	submit('held', HELD, ", $argument => array_fill(clock_timestamp() + interval '3 s', '{" . HELD . "}')");
	submit('other', 10, ", $argument => array_fill(clock_timestamp() + interval '4 s', '{10}')");
	$holder = hold("holder_$argument", "SELECT count(*) FROM (SELECT FROM paws_queue.job WHERE id IN (SELECT job FROM j WHERE topic = 'held') FOR UPDATE) AS held");
	wait_states('other', $after, "$argument: others are seen to");
	is(states('held'), $before, "$argument: beside the held ones");
	let_go("holder_$argument", $holder);
	wait_states('held', $after, "$argument: let go of, they are seen to as well");
}

# A start forgets where the first unfinished job of an ordering key is. So many finished ones are passed over in more than one
# hold of the topic's lock, and it is found all the same: that one, and not the one behind it.
sql("SELECT count(paws_sync.cancel(job)) FROM j; TRUNCATE j; ALTER TABLE paws_queue.job SET (autovacuum_enabled = false)");
sql("SELECT count(*) FROM paws_sync.submit_many('other', array_fill('x'::bytea, '{" . HELD . "}'), ordering_keys => array_fill('key'::text, '{" . HELD . "}'))");
sql("SELECT count(paws_sync.cancel(id)) FROM paws_queue.job WHERE ordering_key IS NOT NULL");
$node->restart;
my ($first, $behind) = split /\n/, sql("SELECT job FROM paws_sync.submit_many('other', '{first,behind}', ordering_keys => '{key,key}')");
is(sql("SELECT job FROM paws_sync.claim('{other}', 10)"), $first, 'the first unfinished job of a key is found behind many finished ones');
is(sql("SELECT paws_sync.cancel($first)"), 'cancelled', 'and when it has ended');
is(sql("SELECT job FROM paws_sync.claim('{other}', 10)"), $behind, 'the next one');
sql("SELECT paws_sync.cancel($behind)");

# A start: what it left cannot be counted, and the timer works all the same.
sql("SELECT count(paws_sync.cancel(job)) FROM j; TRUNCATE j");
pause_workers($node);
submit('other', 5, '');
$node->restart;
$holder = hold('holder_count', 'LOCK TABLE paws_queue.dead_letter IN ACCESS EXCLUSIVE MODE');
is(sql("SELECT count(*) FROM paws_sync.claim('{other}', 100, '1 s')"), 5, 'jobs are claimed after a start');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET paws_sync.databases');
$node->reload;
wait_states('other', 'available 1', 'their leases end while what was there cannot be counted');
is(sql("SELECT state FROM paws_sync.status() WHERE component = 'jobs'"), 'counting', 'status says so');
let_go('holder_count', $holder);
wait_for_sql($node, 'the count', "SELECT state = 'ready' FROM paws_sync.status() WHERE component = 'jobs'");
is(sql("SELECT waiting || ' ' || delayed || ' ' || running FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'other'"), '5 0 0', 'then it is exact');

$node->stop;
done_testing();
