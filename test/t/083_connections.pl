# Every connection that clients may have is taken: workers have their own.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('connections', 'max_connections' => 8, 'superuser_reserved_connections' => 2);
new_subject($node, 'one', 'premium');
my $device = new_device($node, 'one');
my $reader = new_device($node, 'one', 'web');
my @taken;

while (@taken < 20)
{
	my $one = eval { session($node) };
	last unless $one;
	push @taken, $one;
}
is(scalar @taken, 8, 'every connection is taken');
is($node->psql('postgres', 'SELECT 1', stderr => \my $error), 2, 'nobody else gets in');
like($error, qr/too many clients|remaining connection slots/, 'for want of connections');
my $mine = $taken[0];

sub all_applied
{
	return within(60, sub { $mine->query_safe('SELECT count(*) FROM paws_queue.operation') eq '0' });
}

is($mine->query_safe(push_some($device, 50)), 50, 'push on one of them');
ok(all_applied(), 'workers apply it');

# Workers that are gone come back, though no connection is free.
my @before = split /\n/, $mine->query_safe("SELECT pid FROM paws_sync.pg_stat_paws_sync_workers WHERE kind IN ('pool', 'scheduler')");
$mine->query_safe("SELECT pg_terminate_backend($_)") foreach @before;
ok(within(60, sub { $mine->query_safe("SELECT count(*) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind IN ('pool', 'scheduler') AND pid IS NOT NULL AND NOT pid = ANY (ARRAY[" . join(',', @before) . '])') eq '3' }),
	'terminated workers are replaced');
my $launcher = $mine->query_safe("SELECT pid FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'launcher'");
$mine->query_safe("SELECT pg_terminate_backend($launcher)");
ok(within(60, sub { my $pid = $mine->query_safe("SELECT max(pid) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'launcher'"); $pid ne '' && $pid ne $launcher }), 'so is the launcher');
is($mine->query_safe(push_some($device, 50)), 50, 'more work');
ok(all_applied(), 'is done');

# Waiters on all the other connections are woken all the same.
my $cursor = $mine->query_safe("SELECT \"cursor\" FROM paws_sync.pull('$reader', NULL, 1000) OFFSET 99");
set_option_in($mine, 'paws_sync.max_wait_with_snapshot', "'60s'");
start_query($_, "SELECT 'got ' || count(*) FROM paws_sync.pull_wait('$reader', '$cursor', '50 s')") foreach @taken[ 1 .. 7 ];
ok(within(60, sub { $mine->query_safe("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Extension' AND query LIKE '%got%'") eq '7' }), 'seven clients wait');
is($mine->query_safe(push_some($device, 1)), 1, 'one pushes');
is(join(' ', map { (split /\n/, $_->query('SELECT 1'))[0] } @taken[ 1 .. 7 ]), join(' ', ('got 1') x 7), 'all seven have it');

$_->quit foreach @taken;
ok(until_sql($node, 'SELECT true'), 'connections are free again');
ok(depths_agree($node), 'depths agree with the table');
crash_free($node);
$node->stop;
done_testing();

sub set_option_in
{
	my ($session, $name, $value) = @_;

	$session->query_safe("ALTER SYSTEM SET $name = $value");
	$session->query_safe('SELECT pg_reload_conf()');
	within(10, sub { $session->query_safe("SHOW $name") =~ /^(60s|1min)$/ });
	return;
}
