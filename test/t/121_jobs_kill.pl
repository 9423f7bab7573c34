# Those who work on jobs are killed at random under load: clients between claim and complete, server processes (which
# makes the server reset itself and forget all leases), and the timer. Every job is done at least once, its effects
# exactly once where complete was of the same transaction, and what the dead held comes back.
#
# SOAK_SECONDS (make soak) says for how long, and then also measures how long a lease of the dead lasted beyond its
# term.

use strict;
use warnings;

use PawsJobs;
use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

seed_random();

my $soak = $ENV{SOAK_SECONDS} // 0;
my $node = PawsNode->new_node('jobs_kill', 'paws_sync.pool_size' => 1);
my $jobs = PawsJobs->new($node, lease => $soak ? '3 seconds' : '1 second');

sub start_all
{
	my ($submit) = @_;

	$jobs->start($submit // 'submit', 2);
	$jobs->start('work', 2);
	$jobs->start('work', 1);
	$jobs->start('quick', 1);
	$jobs->start('loose', 1);
	return;
}

# Until so many more jobs are done.
sub wait_progress
{
	my ($more) = @_;
	my $done = $node->safe_psql('postgres', 'SELECT count(*) FROM x.effect');
	$done += $more;
	return wait_for_sql($node, 'progress', "SELECT count(*) >= $done FROM x.effect");
}

# Clients die between claim and complete.
foreach my $round (1 .. 4)
{
	start_all();
	foreach (1 .. 3)
	{
		wait_progress(20 + int(rand(100)));
		$jobs->kill_client('work');
		$jobs->start('work', 2);
	}
	$jobs->stop;
}
$jobs->drain;
$jobs->check('clients');

# Clients that hold jobs and do nothing: others get them when the leases are over.
$jobs->start('submit', 1);
wait_for_sql($node, 'some jobs', "SELECT count(*) > 20 FROM paws_queue.job");
$jobs->stop;
$jobs->start('dead', 2);
wait_for_sql($node, 'some leases', "SELECT running > 3 FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'exact'");
$jobs->stop;
$jobs->drain;
$jobs->check('idle clients');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT job FROM x.claimed GROUP BY job HAVING count(*) > 1) AS c'),
	'>', 0, 'some were claimed more than once');

# The timer dies; another takes over.
start_all();
wait_progress(50);
my ($timer) = worker_pids($node, 'timer');
kill('TERM', $timer);
wait_for_sql($node, 'another timer',
	"SELECT count(*) = 1 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'timer' AND pid <> $timer");
$jobs->kill_client('work');
$jobs->stop;
$jobs->drain;
$jobs->check('timer');

# Server processes die.
foreach my $kind (qw(work quick loose))
{
	start_all();
	wait_progress(20 + int(rand(100)));
	ok($jobs->kill_backend($kind), "a process that serves $kind is killed");
	wait_workers($node);
}
$jobs->drain;
$jobs->check('server processes');

# A fence from before the crash is refused, whoever has it.
my ($job, $fence) = split /\|/, $node->safe_psql('postgres',
	"SELECT paws_sync.submit('exact', 'x'); SELECT job, fence FROM paws_sync.claim('{exact}')") =~ /(\d+\|\d+)$/ ? $1 : '';
crash_by($node, sub { kill 'KILL', (worker_pids($node, 'pool'))[0] });
my ($status, $out, $err) = $node->psql('postgres', "SELECT paws_sync.complete($job, $fence)");
like($err, qr/lease/, 'a fence from before is refused');
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_sync.claim('{exact}')"), 1, 'and the job is there at once');
is($node->safe_psql('postgres', "SELECT paws_sync.cancel($job)"), 'cancelled', 'and cancelled');

if ($soak)
{
	my $end = time + $soak;
	my ($clients, $crashes) = (0, 0);

	$node->safe_psql('postgres', 'TRUNCATE x.submitted, x.claimed, x.effect');
	start_all('trickle');
	while (time < $end)
	{
		usleep(100_000 + int(rand(400_000)));
		if (rand() < 0.02)
		{
			$crashes += $jobs->kill_backend((qw(work quick loose))[ int(rand(3)) ]);
			wait_workers($node);
			start_all('trickle');
			next;
		}
		$clients += $jobs->kill_client('work');
		$jobs->start('work', 2);
	}
	$jobs->stop;
	$jobs->drain;
	$jobs->check("$clients clients and $crashes server processes killed in $soak s");
	my $hold = $jobs->longest_hold;
	cmp_ok($hold, '<=', 1, "no lease of the dead lasted longer than its term and 1 s: $hold s");
}

$node->stop;
done_testing();
