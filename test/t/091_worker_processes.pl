# max_worker_processes is too small: said once, and what there is works.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('few', -no_extension => 1, 'max_worker_processes' => 7, 'max_logical_replication_workers' => 0,
	'paws_sync.pool_size' => 4);

sub warnings_of
{
	my ($text) = @_;
	return scalar(() = log_since($node, 0) =~ /WARNING:  \Q$text\E/g);
}

sub turns_of_scheduler
{
	my $turns = $node->safe_psql('postgres', "SELECT batches FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'");
	$turns += 3;
	return ok(until_sql($node, "SELECT batches >= $turns FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'"), 'the scheduler tries again and again');
}

$node->safe_psql('postgres', 'SET client_min_messages = warning; CREATE EXTENSION paws_sync CASCADE');
$node->safe_psql('postgres', "SELECT paws_sync.define_collection('standard', 'standard'); SELECT paws_sync.define_collection('safety', 'safety')");
new_subject($node, 'one', 'premium');
my $device = new_device($node, 'one');
my $other = new_device($node, 'one', 'web');

# Room for the launcher, two crisis workers, a scheduler, a timer, a canary and one of four pool workers.
ok(has_workers($node, 'postgres', 1), 'as many pool workers as fit');
turns_of_scheduler();
is(warnings_of('could not start a pool worker'), 1, 'the rest is missed once in the log');
like(log_since($node, 0), qr/HINT:  Raise "max_worker_processes" or lower "paws_sync.pool_size"\./, 'with a hint');
is($node->safe_psql('postgres', "SELECT state || ' ' || detail FROM paws_sync.status() WHERE component = 'workers'"),
	'starting 1 of 4 pool workers; if it stays so, raise max_worker_processes', 'status() says so');
is($node->safe_psql('postgres', push_some($device, 200)), 200, 'pushes are accepted');
ok(until_sql($node, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)'), 'and applied');
set_option($node, 'paws_sync.pool_size', 1);
ok(until_sql($node, "SELECT state = 'ready' FROM paws_sync.status() WHERE component = 'workers'"), 'a smaller pool is complete');
set_option($node, 'paws_sync.pool_size', 2);
turns_of_scheduler();
ok(warnings_of('could not start a pool worker') <= 2, 'said at most once more after a change');

# Room for the launcher alone.
$node->append_conf('postgresql.conf', 'max_worker_processes = 1');
$node->restart;
my ($started) = log_since($node, 0) =~ /(.*ready to accept connections)/s;
ok(within(60, sub { warnings_of('could not start all workers') > 0 }), 'no scheduler can start');
is($node->safe_psql('postgres', push_some($device, 20)), 20, 'pushes are accepted');
my $operation = op_json('safety', payload => 'plan');
is($node->safe_psql('postgres', "SELECT receipt FROM paws_sync.push('$device', '[$operation]')"), 'applied', 'the crisis lane needs no worker');
my ($rows) = paws_pull($node, $other);
is(scalar(grep { $_->{payload} eq 'plan' } @$rows), 1, 'and is delivered');
is($node->safe_psql('postgres', 'SELECT sum(depth) FROM paws_sync.pg_stat_paws_sync_lanes'), 20, 'what waits is counted');
is(warnings_of('could not start all workers'), 1, 'it is said once');

# Room enough.
$node->append_conf('postgresql.conf', 'max_worker_processes = 8');
$node->restart;
ok(has_workers($node, 'postgres', 2), 'with room enough all are there');
ok(until_sql($node, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)'), 'what waited is applied');

# Others took the processes: started when they are free again.
crash_free($node);
$node->stop;
done_testing();
