# The postmaster is killed in the middle of load, the server is started again.
use strict;
use warnings;

use PawsLoad;
use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;

seed_random();

my $node = PawsNode->new_node('postmaster_kill', 'paws_sync.pool_size' => 3);
my $load = PawsLoad->new($node, writers => 4, subjects => 2, rollbacks => 0.2);

foreach my $round (1 .. 3)
{
	$load->begin(4000);
	$load->wait_progress(100 + int(rand(300)));
	kill_postmaster($node, sub { is($load->finish, 4, "kill $round: the sessions were cut off") });
	$load->check("kill $round");
}

# And with a checkpoint just before, so that recovery has another beginning.
$load->begin(4000);
$load->wait_progress(100);
$node->safe_psql('postgres', 'CHECKPOINT');
$load->wait_progress(50);
kill_postmaster($node, sub { is($load->finish, 4, 'after a checkpoint: the sessions were cut off') });
$load->check('after a checkpoint');

$node->stop;
done_testing();
