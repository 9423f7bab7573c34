# Pool workers are killed in the middle of load. With SIGKILL the server resets itself: nothing acknowledged is
# lost, nothing applied twice, the depths are right. With SIGTERM only the pool is filled again.
use strict;
use warnings;

use PawsLoad;
use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

seed_random();

my $node = PawsNode->new_node('worker_kill', 'paws_sync.apply_at_once' => 'off', 'paws_sync.pool_size' => 3);
my $load = PawsLoad->new($node, writers => 4, subjects => 3, rollbacks => 0.2);

sub started
{
	return $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
}

# The pid of a worker of a kind; one that is applying if there is any.
sub victim
{
	my ($kind) = @_;
	return $node->safe_psql('postgres',
		"SELECT pid FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = '$kind' AND pid IS NOT NULL "
		  . "ORDER BY state = 'working' DESC, random() LIMIT 1");
}

my $postmaster = started();
foreach my $round (1 .. 3)
{
	$load->begin(4000);
	$load->wait_progress(100 + int(rand(300)));
	my $pid = victim('pool');
	kill('KILL', $pid);
	is($load->finish, 4, "kill $round: the sessions were cut off");
	wait_workers($node);
	isnt(join(' ', grep { $_ eq $pid } worker_pids($node, 'pool')), $pid, "kill $round: the pool is new");
	$load->check("kill $round");
}
is(started(), $postmaster, 'the postmaster went on');

# With operations waiting that nobody can work on, the count after a crash can be looked at.
my $hold = hold_subjects($node);
$load->begin(20);
is($load->finish, 0, 'the sessions came to their end');
my $rows = depth_rows($node);
cmp_ok($rows, '>', 0, "$rows operations wait");
ok(depths_agree($node), 'the depths are right before a crash');
release_subjects($node, $hold);
$load->check('after the wait');

# SIGTERM of each kind of worker, many times while there is load: sessions do not notice.
my %gone;
$load->begin(400);
while ($load->running)
{
	foreach my $kind (qw(pool pool pool scheduler))
	{
		my $pid = victim($kind);
		next if $pid eq '' || $gone{$pid}++;
		kill('TERM', $pid);
		usleep(20_000);
	}
}
is($load->finish, 0, 'terminated: the sessions came to their end');
is($load->complaints, '', 'terminated: no session had an error');
cmp_ok(scalar keys %gone, '>', 1, 'terminated: ' . scalar(keys %gone) . ' workers');
wait_workers($node);
ok(1, 'terminated: the pool is full again');
$load->check('terminated');

# The launcher, too.
my ($launcher) = worker_pids($node, 'launcher');
kill('TERM', $launcher);
wait_for_sql($node, 'another launcher',
	"SELECT count(*) = 1 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'launcher' AND pid <> $launcher");
wait_workers($node);
$load->begin(10);
$load->finish;
$load->check('another launcher');
is(started(), $postmaster, 'the server was not restarted by it');

# Cancelling what a worker does costs nothing but that try.
$load->begin(200);
while ($load->running)
{
	$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM paws_sync.pg_stat_paws_sync_workers "
		  . "WHERE kind = 'pool' AND pid IS NOT NULL");
	usleep(20_000);
}
is($load->finish, 0, 'cancelled: the sessions came to their end');
$load->check('cancelled');
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_care.feed WHERE outcome = 4'), 0,
	'no operation was rejected for it');

$node->stop;
done_testing();
