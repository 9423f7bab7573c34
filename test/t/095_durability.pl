# What was acknowledged is on disk, whatever the session says about synchronous_commit: the process that writes
# WAL for such sessions is held, and then everything is killed.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('durability', 'autovacuum' => 'off', 'checkpoint_timeout' => '1h', 'wal_level' => 'minimal', 'max_wal_senders' => 0);
my $subject = new_subject($node, 'one', 'premium');
my $device = new_device($node, 'one');
my $reader = new_device($node, 'one', 'web');
$node->safe_psql('postgres', 'CREATE TABLE plain (n integer); CHECKPOINT');
set_option($node, 'paws_sync.databases', "''");
ok(has_workers($node, 'postgres', 0), 'no worker writes anything');

# A session, and the LSN of its last commit record by the position that the next one would have had.
my $session = session($node);
$session->query_safe('SET synchronous_commit = off');

# True if what one statement writes in a transaction is on disk when COMMIT has answered.
sub flushed_by_commit
{
	my ($sql, $before) = @_;

	$session->query_safe('BEGIN; ' . ($before // ''));
	my $answer = $session->query_safe($sql);
	my $written = $session->query_safe('SELECT pg_current_wal_insert_lsn()');
	$session->query_safe('COMMIT');
	return $session->query_safe("SELECT pg_current_wal_flush_lsn() > '$written'");
}

my $writer = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");
$node->safe_psql('postgres', 'INSERT INTO plain VALUES (0)');
kill 'STOP', $writer;
END { kill 'CONT', $writer if $writer && kill 0, $writer }

is(flushed_by_commit('INSERT INTO plain VALUES (1) RETURNING n'), 'f', 'a plain insertion of that session is not flushed');
my %operation = map { $_ => op_json($_ eq 'crisis' ? 'safety' : 'standard', payload => $_) } qw(ordinary crisis local savepoint later mixed);
my $push = sub { return "SELECT outcome FROM paws_sync.push('$device', '[" . join(',', map { $operation{$_} } @_) . "]')" };
is(flushed_by_commit($push->('ordinary')), 't', 'a push is');
is($session->query_safe('SHOW synchronous_commit'), 'off', 'and the setting stays as it was');
is(flushed_by_commit('INSERT INTO plain VALUES (2) RETURNING n'), 'f', 'so that the next plain insertion is not');
is(flushed_by_commit($push->('crisis')), 't', 'a push of the crisis lane is');
is(flushed_by_commit(push_some($device, 3)), 't', 'push_many is');
is(flushed_by_commit($push->('local'), 'SET LOCAL synchronous_commit = local'), 't', 'with "local" as well');
is(flushed_by_commit($push->('later') . "; SET LOCAL synchronous_commit = off"), 't', 'set to off after the push');
is(flushed_by_commit($push->('savepoint') . '; SAVEPOINT a; INSERT INTO plain VALUES (3); ROLLBACK TO a', 'SAVEPOINT b'), 't', 'in a savepoint');
is($session->query_safe('BEGIN; SAVEPOINT a; ' . push_some($device, 2) . " ROLLBACK TO a; INSERT INTO plain VALUES (4); COMMIT; SHOW synchronous_commit"), "2\noff", 'a push that is rolled back asks for nothing');
my $alone = $session->query_safe($push->('mixed'));
is($alone, 'accepted', 'a push without a transaction block');
$session->query_safe('INSERT INTO plain VALUES (5)');
my $position = $session->query_safe('SELECT pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn()');
is($position, 't', 'something that is not acknowledged is not on disk');

# Everything dies: the held process is killed, which makes the server end all others and recover.
my $start = $session->query_safe('SELECT pg_postmaster_start_time()');
kill 'KILL', $writer;
$writer = undef;
eval { $session->query('SELECT 1') };
eval { $session->{run}->kill_kill };
ok(until_sql($node, "SELECT count(*) = 0 FROM plain WHERE n = 5"), 'the server recovered, without what it had not promised');
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_queue.operation'), 8, 'all that was accepted is there');
set_option($node, 'paws_sync.databases', "'postgres'");
ok(has_workers($node, 'postgres', 2), 'workers on');
wait_applied($node);
ok(depths_agree($node), 'depths agree with the table');
my ($rows) = paws_pull($node, $reader);
is(join(' ', sort grep { $_ ne 'hello' } map { $_->{payload} } @$rows), join(' ', sort keys %operation), 'each push is delivered');
is(scalar(grep { $_->{payload} eq 'hello' } @$rows), 3, 'push_many too');
foreach (sort keys %operation)
{
	my ($again) = paws_push($node, $device, [ $operation{$_} ]);
	is("$again->{outcome} $again->{receipt}", 'duplicate applied', "a repeat of \"$_\" is known");
}
$node->stop;
done_testing();
