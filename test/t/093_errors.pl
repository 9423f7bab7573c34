# Errors stay where they happen: a wait that is cut off leaves nothing behind, a process that is ended is
# replaced, and what is broken for good fails calmly.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('errors', 'paws_sync.max_wait_with_snapshot' => '60s', 'paws_sync.pool_size' => 2);
new_subject($node, 'one', 'premium');
new_subject($node, 'two', 'premium');
my $phone = new_device($node, 'one');
my $tablet = new_device($node, 'one', 'web');
my $two = new_device($node, 'two');
my $two_other = new_device($node, 'two', 'web');
paws_push($node, $phone, [ op_json('standard') ]);
paws_push($node, $two, [ op_json('standard') ]);
wait_applied($node);
my (undef, $cursor) = paws_pull($node, $tablet);
my (undef, $two_cursor) = paws_pull($node, $two_other);
my $wait = "SELECT count(*) FROM paws_sync.pull_wait('$tablet', '$cursor', '50 s')";

# All the ways in which a wait is cut off, in one session; the session goes on, for the same and another subject.
my $session = session($node);
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$session->query_safe("SET application_name = 'waiting'");

sub waits
{
	return until_sql($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid = $pid AND wait_event_type = 'Extension'");
}

sub last_error
{
	my ($error) = $session->{stderr} =~ /ERROR:  (.*)/;
	$session->{stderr} = '';
	return $error // '';
}

foreach (1 .. 20)
{
	$session->query("SET statement_timeout = '5ms'; $wait");
	last if last_error() ne 'canceling statement due to statement timeout';
	pass('statement_timeout ends it') if $_ == 20;
}
$session->query_safe('RESET statement_timeout');
foreach (1 .. 5)
{
	start_query($session, $wait);
	waits() or last;
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	$session->query('SELECT 1');
	last if last_error() ne 'canceling statement due to user request';
	pass('a cancel ends it') if $_ == 5;
}
$session->query_safe('BEGIN; SAVEPOINT a');
$session->query("SET LOCAL statement_timeout = '20ms'; $wait");
is(last_error(), 'canceling statement due to statement timeout', 'in a savepoint');
$session->query_safe('ROLLBACK TO a');
is($session->query_safe("SELECT count(*) FROM paws_sync.pull_wait('$two_other', NULL, '10 s')"), 1, 'the transaction goes on with another subject');
$session->query_safe('COMMIT');
$session->query_safe("SET statement_timeout = '50ms'");
$session->query("DO \$\$ BEGIN PERFORM * FROM paws_sync.pull_wait('$tablet', '$cursor', '50 s'); EXCEPTION WHEN query_canceled THEN NULL; END \$\$");
is(last_error(), '', 'in a block that catches it');
$session->query_safe('RESET statement_timeout');
start_query($session, "SELECT 'two: ' || count(*) FROM paws_sync.pull_wait('$two_other', '$two_cursor', '50 s')");
ok(waits(), 'then it waits for another subject');
paws_push($node, $phone, [ op_json('standard') ]);
wait_applied($node);
ok(waits(), 'is not woken for the first one');
paws_push($node, $two, [ op_json('standard') ]);
is($session->query('SELECT 1'), "two: 1\n1", 'and is for that one');
$session->query("SELECT * FROM paws_sync.pull_wait('$tablet', '$cursor', '-1 s')");
is(last_error(), 'timeout is negative', 'a bad argument');
$session->query("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM paws_sync.pull_wait('$tablet', '$cursor', '1 s')");
is(last_error(), 'pull_wait needs transaction isolation level read committed', 'a wrong isolation level');
$session->query_safe('ROLLBACK');

# Waiters that are terminated, whose places other sessions take.
my $round = 0;
foreach (1 .. 3)
{
	(undef, $cursor) = paws_pull($node, $tablet, $cursor);
	my @gone = map { session($node) } 1 .. 8;
	foreach (@gone)
	{
		$_->query_safe("SET application_name = 'to be gone'");
		start_query($_, "SELECT count(*) FROM paws_sync.pull_wait('$tablet', '$cursor', '50 s')");
	}
	until_sql($node, "SELECT count(*) = 8 FROM pg_stat_activity WHERE application_name = 'to be gone' AND wait_event_type = 'Extension'") or last;
	is($node->safe_psql('postgres', "WITH w AS MATERIALIZED (SELECT pid FROM pg_stat_activity WHERE application_name = 'to be gone') SELECT count(*) FROM w WHERE pg_terminate_backend(pid, 20000)"), 8, 'eight waiters are terminated');
	eval { $_->quit } foreach @gone;
	my @taking = map { session($node) } 1 .. 8;
	start_query($_, "SELECT count(*) FROM paws_sync.pull_wait('$tablet', '$cursor', '50 s')") foreach @taking;
	paws_push($node, $phone, [ op_json('standard') ]);
	is(join(' ', map { (split /\n/, $_->query('SELECT 1'))[0] } @taking), '1 1 1 1 1 1 1 1', 'eight others in their place get what comes');
	$_->quit foreach @taking;
	$round++;
}
is($round, 3, 'three times');

# A client that goes away while it waits is noticed at the latest when its wait is over.
set_option($node, 'client_connection_check_interval', "'100ms'");
until_sql($node, "SELECT current_setting('client_connection_check_interval') = '100ms'");
(undef, $cursor) = paws_pull($node, $tablet, $cursor);
my $leaver = session($node);
my $leaver_pid = $leaver->query_safe('SELECT pg_backend_pid()');
start_query($leaver, "SELECT count(*) FROM paws_sync.pull_wait('$tablet', '$cursor', '50 s')");
ok(until_sql($node, "SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $leaver_pid"), 'a client waits');
$leaver->{run}->kill_kill;
ok(until_sql($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $leaver_pid", seconds => 30), 'and is noticed to be gone');

# Workers that are cancelled or terminated under load: replaced, nothing lost, nothing twice.
my $load = start_load($node, 'postgres', 2, push_some($phone, 10) . push_some($two, 5, 'background'));
foreach my $n (1 .. 6)
{
	until_sql($node, "SELECT count(*) = 2 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'pool' AND pid IS NOT NULL AND state = 'working'", seconds => 1);
	my $how = $n % 2 ? 'pg_cancel_backend' : 'pg_terminate_backend';
	$node->safe_psql('postgres', "SELECT $how(pid) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'pool' AND pid IS NOT NULL");
}
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind IN ('scheduler', 'launcher')");
end_load($load);
ok(has_workers($node, 'postgres', 2), 'all workers are back');
wait_applied($node);
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_care.feed WHERE outcome <> 5'), 0, 'nothing failed by it');
is($node->safe_psql('postgres', 'SELECT bool_and(good) FROM (SELECT count(*) = max(position) AND count(*) = count(DISTINCT op_id) AS good FROM paws_care.feed GROUP BY subject_no) f'), 't',
	'nothing lost, nothing twice');
ok(depths_agree($node), 'depths agree with the table');

# Broken for good, as by a failing disk: said at a bearable rate, and fine once it is mended.
my $offset = -s $node->logfile;
$node->safe_psql('postgres', 'ALTER TABLE paws_queue.inflight RENAME TO away');
$node->safe_psql('postgres', 'SET paws_sync.apply_at_once = off; ' . push_some($phone, 5));
ok(within(60, sub { log_since($node, $offset) =~ /paws_sync pool ERROR:/ }), 'workers cannot work');
$node->safe_psql('postgres', 'SELECT pg_sleep(3)');
my $starts = () = log_since($node, $offset) =~ /exited with exit code/g;
cmp_ok($starts, '<=', 30, 'they do not start over and over in three seconds');
my $errors = () = log_since($node, $offset) =~ /ERROR:  /g;
cmp_ok($errors, '<=', 60, 'nor fill the log');
$node->safe_psql('postgres', 'ALTER TABLE paws_queue.away RENAME TO inflight');
wait_applied($node);
pass('mended, they go on');
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_care.feed WHERE outcome = 4'), 0, 'and nobody was rejected for it');
ok(depths_agree($node), 'depths agree with the table');

$session->quit;
crash_free($node);
$node->stop;
done_testing();
