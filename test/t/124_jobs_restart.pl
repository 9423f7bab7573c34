# What outlives a restart, a crash, a promotion, and the time for which it is kept.

use strict;
use warnings;

use PawsNode;
use PawsProbe;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PawsNode->new_node('jobs_restart', 'wal_level' => 'replica', 'max_wal_senders' => 4, 'hot_standby' => 'on',
	'paws_sync.max_wait_with_snapshot' => '10s');

sub sql { return $node->safe_psql('postgres', $_[0]) }

sub state_of { return sql("SELECT state FROM paws_sync.job_status($_[0])") }

sub counts
{
	return sql("SELECT waiting || ' ' || delayed || ' ' || running || ' ' || dead FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'letters'");
}

sql("SELECT paws_sync.define_topic('letters', max_attempts => 2, backoff => '1 h', max_backoff => '1 h')");
sql("SELECT paws_sync.define_topic('brief', history => '1 h')");
my $subject = new_subject($node, 'one', 'basic');

# One job in each state.
my %job;
$job{$_} = sql("SELECT job FROM paws_sync.submit('letters', '$_', key => '$_', subject => '$subject')") foreach qw(completed cancelled dead running retried);
sql("SELECT paws_sync.cancel($job{cancelled})");
my %fence = map { split /\|/ } split /\n/, sql("SELECT convert_from(payload, 'UTF8'), fence FROM paws_sync.claim('{letters}', 10)");
sql("SELECT paws_sync.complete($job{completed}, $fence{completed}, 'the result')");
sql("SELECT paws_sync.fail($job{retried}, $fence{retried}, reason => 'dependency')");
sql("SELECT paws_sync.fail($job{dead}, $fence{dead}, '0')");
wait_for_sql($node, 'the second attempt', "SELECT state = 'available' FROM paws_sync.job_status($job{dead})");
my $second = sql("SELECT fence FROM paws_sync.claim('{letters}') WHERE job = $job{dead}");
is(sql("SELECT paws_sync.fail($job{dead}, $second)"), 'dead', 'a job is dead');
$job{scheduled} = sql("SELECT job FROM paws_sync.submit('letters', 'scheduled', not_before => now() + interval '1 day')");
$job{soon} = sql("SELECT job FROM paws_sync.submit('letters', 'soon', not_before => clock_timestamp() + interval '2 s')");
$job{available} = sql("SELECT job FROM paws_sync.submit('letters', 'available', ordering_key => 'a')");
is(counts(), '1 3 1 1', 'one of each');

foreach my $how ('restart', 'crash')
{
	$how eq 'crash' ? kill_postmaster($node) : restart_node($node);
	wait_for_sql($node, "$how: the count",
		"SELECT waiting + running + delayed = 5 AND dead = 1 FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'letters'");
	is(state_of($job{$_}), $_, "$how: $_ is what it was") foreach qw(completed cancelled dead scheduled available);
	is(state_of($job{retried}), 'scheduled', "$how: a retry waits on");
	is(state_of($job{running}), 'available', "$how: what ran is available");
	is(sql("SELECT attempts, reason FROM paws_sync.job_status($job{retried})"), '1|dependency', "$how: with its attempts");
	foreach my $call ('complete', 'release', 'extend')
	{
		my ($status, $out, $err) = $node->psql('postgres', "SELECT paws_sync.$call($job{running}, $fence{running})");
		is($call eq 'complete' ? ($err =~ /lease/ ? 'lost' : $err) : $out, 'lost', "$how: $call with a fence from before is refused");
	}
	is(sql("SELECT outcome, state, convert_from(result, 'UTF8') FROM paws_sync.submit('letters', 'x', key => 'completed', subject => '$subject')"),
		'duplicate|completed|the result', "$how: keys and results are known");
	my ($claimed, $fence) = split /\|/, sql("SELECT job, fence FROM paws_sync.claim('{letters}', 10) WHERE job = $job{running}");
	is($claimed, $job{running}, "$how: what ran is claimed anew");
	cmp_ok($fence, '>', $fence{running}, "$how: under a later fence");
	$fence{running} = $fence;
}
wait_for_sql($node, 'what is due soon', "SELECT state = 'available' FROM paws_sync.job_status($job{soon})");
pass('what is due soon is due');
restart_node($node);

# A standby reads, and says of everything else that it is read-only.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('jobs_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my %writing = (
	submit => "paws_sync.submit('letters', 'x')",
	submit_many => "paws_sync.submit_many('letters', '{x}')",
	claim => "paws_sync.claim('{letters}')",
	claim_wait => "paws_sync.claim_wait('{letters}')",
	cancel => "paws_sync.cancel($job{available})",
	redrive => "paws_sync.redrive('letters')",
	discard => "paws_sync.discard('letters')",
	define_topic => "paws_sync.define_topic('more')",
	drop_topic => "paws_sync.drop_topic('brief')",
	pause_topic => "paws_sync.pause_topic('letters')",
	pause_level => "paws_sync.pause_level('bulk')");
error_like($standby, "SELECT * FROM $writing{$_}", '25006', undef, "$_ is refused on a standby") foreach sort keys %writing;
is($standby->safe_psql('postgres', 'SELECT count(*) FROM paws_sync.topics()'), 2, 'topics are readable');
is($standby->safe_psql('postgres', "SELECT count(*) FROM paws_sync.dead_letters('letters')"), 1, 'dead letters too');
is($standby->safe_psql('postgres', "SELECT state FROM paws_sync.job_status($job{completed})"), 'completed', 'and where a job stands');

# Promoted, it goes on.
$standby->promote;
wait_for_sql($standby, 'its workers',
	"SELECT count(*) FILTER (WHERE kind = 'timer') = 1 FROM paws_sync.pg_stat_paws_sync_workers WHERE pid IS NOT NULL");
is($standby->safe_psql('postgres', "SELECT count(*) FROM paws_sync.claim('{letters}', 10)"), 3, 'promoted, it hands out what waits');
$standby->safe_psql('postgres', "SELECT paws_sync.submit('letters', 'x')");
$standby->stop;

# Dump and restore: jobs, keys, results, dead letters and topics come along.
my $target = PawsNode->new_node('jobs_target', -no_extension => 1, -keys_of => $node, 'paws_sync.databases' => '');
my $dump = "$PostgreSQL::Test::Utils::tmp_check/jobs.dump";
$node->command_ok([ 'pg_dump', '-d', $node->connstr('postgres'), '-f', $dump ], 'dumped');
copy_keyring($node, $target);
$target->restart;
my ($status, $out, $err) = $target->psql('postgres', "SET client_min_messages = warning;\n" . slurp_file($dump), on_error_stop => 1);
is($status, 0, 'restored') or diag $err;
is($target->safe_psql('postgres', "SELECT state FROM paws_sync.job_status($job{$_})"), state_of($job{$_}), "restored: $_")
  foreach qw(completed cancelled dead scheduled available);
is($target->safe_psql('postgres', "SELECT outcome, convert_from(result, 'UTF8') FROM paws_sync.submit('letters', 'x', key => 'completed', subject => '$subject')"),
	'duplicate|the result', 'restored: keys and results');
is($target->safe_psql('postgres', "SELECT string_agg(convert_from(payload, 'UTF8'), ' ' ORDER BY job) FROM paws_sync.claim('{letters}', 10)"),
	'running soon available', 'restored: what waited is handed out');
is($target->safe_psql('postgres', "SELECT paws_sync.redrive('letters')"), 1, 'restored: dead letters can be redriven');
is($target->safe_psql('postgres', "SELECT job > (SELECT max(id) FROM paws_queue.job WHERE id <> job) FROM paws_sync.submit('letters', 'new')"),
	't', 'restored: numbers go on');
$target->stop;

# History is kept for as long as a topic says, in tables of days, which are dropped whole.
is(sql("SELECT count(*) >= 2 FROM pg_tables WHERE schemaname = 'paws_queue' AND tablename ~ '^history_[0-9]{8}\$'"), 't',
	'there are tables for today and tomorrow');
my $base = "$PostgreSQL::Test::Utils::tmp_check/holds";
append_to_file("$base.sql", "SET application_name = 'holds';\n"
	  # at once: they are dropped as soon as they are seen
	  . "CREATE TABLE paws_queue.history_20200101 (LIKE paws_queue.history);\n"
	  . "CREATE TABLE paws_queue.history_20200102 (LIKE paws_queue.history);\nBEGIN;\nLOCK TABLE paws_queue.history_20200101, paws_queue.history_20200102 IN ACCESS SHARE MODE;\nSELECT pg_sleep(600);\n");
my $holder = start_psql($node, "$base.sql", "$base.out", "$base.err");
wait_for_sql($node, 'a lock', "SELECT count(*) > 0 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE c.relname = 'history_20200102' AND granted AND mode = 'AccessShareLock'");
sql('SELECT pg_sleep(0.5)');
my $open = sql("SELECT job FROM paws_sync.submit('brief', 'x')");
my ($held, $its_fence) = split /\|/, sql("SELECT job, fence FROM paws_sync.claim('{brief}')");
is(sql("SELECT paws_sync.complete($held, $its_fence)"), 'completed', 'nobody waits for a table that is to go');
sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holds'");
waitpid($holder, 0);
wait_for_sql($node, 'old history to go', "SELECT count(*) = 0 FROM pg_tables WHERE schemaname = 'paws_queue' AND tablename ~ '^history_2020'");
pass('old tables of history are dropped, whoever held them for a while');

# Forgetting a person takes their jobs, dead letters and results with it.
my $two = new_subject($node, 'two', 'basic');
foreach my $n (1 .. 5)
{
	sql("SELECT paws_sync.submit('letters', 'of two', subject => '$two', key => 'two $n')");
	sql("SELECT paws_sync.submit('letters', 'of two later', subject => '$two', not_before => now() + interval '1 day')");
}
sql("SELECT count(paws_sync.complete(job, fence, 'result of two')) FROM paws_sync.claim('{letters}', 2) WHERE subject IS NOT NULL AND subject OPERATOR(paws_sync.=) '$two'");
my $no = sql("SELECT subject_no FROM paws_registry.subject WHERE subject OPERATOR(paws_sync.=) '$two'");
cmp_ok(sql("SELECT count(*) FROM paws_queue.job WHERE subject_no = $no"), '>', 5, 'a person has jobs');
is(sql("SELECT state FROM paws_sync.forget('$two')"), 'deleted', 'and is forgotten');
is(sql("SELECT count(*) FROM paws_sync.claim('{letters}', 100) WHERE subject IS NOT NULL AND subject OPERATOR(paws_sync.=) '$two'"), 0, 'none of their jobs is handed out');
wait_for_sql($node, 'the erasure', "SELECT state <> 'deleted' FROM paws_sync.erasure_status('$two')");
is(sql("SELECT (SELECT count(*) FROM paws_queue.job WHERE subject_no = $no) + (SELECT count(*) FROM paws_queue.job_key WHERE subject_no = $no) "
	  . "+ (SELECT count(*) FROM paws_queue.dead_letter WHERE subject_no = $no)"), 0, 'and nothing of them is left');

$node->stop;
done_testing();
