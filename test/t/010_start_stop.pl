# Shutdowns of every kind in the middle of load, and restarts: the workers come back, nothing acknowledged is
# lost, the depths are right.
use strict;
use warnings;

use PawsLoad;
use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;

seed_random();

my $node = PawsNode->new_node('start_stop');
my $load = PawsLoad->new($node, writers => 4, subjects => 2, rollbacks => 0.2);

foreach my $mode (qw(fast immediate))
{
	$load->begin(4000);
	$load->wait_progress(200);
	$node->stop($mode);
	is($load->finish, 4, "$mode: the sessions were cut off");
	$node->start;
	wait_workers($node);
	ok(1, "$mode: the workers are back");
	$load->check($mode);
}

# A smart shutdown waits for the sessions, and the workers must not keep it waiting.
$load->begin(150);
$load->wait_progress(20);
$node->stop('smart');
is($load->finish, 0, 'smart: the sessions came to their end');
is($load->complaints, '', 'smart: no session had an error');
$node->start;
wait_workers($node);
$load->check('smart');

# What waits while the server goes down is counted when it comes up.
foreach my $mode (qw(fast immediate))
{
	pause_workers($node);
	$load->begin(30);
	is($load->finish, 0, "$mode with a backlog: the sessions came to their end");
	my $rows = depth_rows($node);
	cmp_ok($rows, '>', 0, "$mode with a backlog: $rows operations wait");
	ok(depths_agree($node), "$mode with a backlog: the depths are right before it");
	$node->stop($mode);
	$node->start;
	resume_workers($node);
	$load->check("$mode with a backlog");
}

# While the workers cannot work, the count after a start can be looked at.
my $hold = hold_subjects($node);
$load->begin(20);
$load->finish;
release_subjects($node, $hold);
$load->check('held');

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP:|terminated by signal (11|6)/, 'no process failed');

$node->stop;
done_testing();
