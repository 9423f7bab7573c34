# A crash between what a device sees and the disk: whatever was told, pending or applied, is there afterwards, once, and the
# cursor that was given with it is good. Commits are asynchronous wherever a setting can make them so.

use strict;
use warnings;

use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use PawsNode;
use PawsProbe;

my $folder = "$PostgreSQL::Test::Utils::tmp_check/faults";
my ($bin, $err) = run_command([ 'bash', "$ENV{TESTDIR}/test/fault_points.sh", $folder ]);
like($bin, qr|^/.*/bin$|, 'a server is built that can be made to crash') or BAIL_OUT($err);
my $order = "$folder/order";
$ENV{PAWS_FAULT_FILE} = $order;

# Nothing but a commit that waits flushes the WAL of it within a test.
my $node = PawsNode->new_node('lane_crash', -install_path => dirname($bin), 'fsync' => 'on', 'synchronous_commit' => 'off',
	'wal_writer_delay' => '10s', 'wal_writer_flush_after' => '1GB', 'autovacuum' => 'off');
sub rows { return $node->safe_psql('postgres', shift) }
my $subject = new_subject($node, 'one', 'basic');
my ($phone, $tablet) = map { new_device($node, 'one', $_) } 'ios', 'web';
my $counter = rows("SELECT subject_no FROM paws_registry.subject WHERE subject::text = '$subject'");
rows("SELECT * FROM paws_sync.push_crisis('$phone', '[" . op_json('safety') . "]')");
my $cursor = (split /\n/, rows("SELECT \"cursor\" FROM paws_sync.pull_crisis('$tablet')"))[-1];

# The next rows of the feed: kind and operation, and the cursor behind them.
sub told
{
	my @rows = map { [ split /\|/ ] } split /\n/, rows("SELECT kind, coalesce(op_id::text, ''), \"cursor\" FROM paws_sync.pull_crisis_wait('$tablet', '$cursor', '1 s')");

	$cursor = $rows[-1][2] if @rows;
	return join ' ', map { "$_->[0] $_->[1]" } grep { $_->[0] ne 'position' } @rows;
}

sub is_whole
{
	my ($id, $name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(within(60, sub { rows("SELECT count(*) FROM paws_crisis.feed WHERE op_id = '$id'") eq '1' }), "$name: it is applied");
	is(rows("SELECT count(*) FROM paws_sync.pull_crisis('$tablet', '$cursor') WHERE kind = 'reset'"), 0, "$name: the cursor is good");
	is(rows("SELECT count(*) FROM paws_sync.pull_crisis('$tablet') WHERE op_id = '$id' AND kind = 'change'"), 1, "$name: a new reader has it once");
	is(rows("SELECT outcome FROM paws_sync.push_crisis('$phone', '[" . op_json('safety', op_id => $id) . "]')"), 'duplicate', "$name: and the one that pushed is told so");
	ok(within(60, sub { rows('SELECT count(*) FROM paws_crisis.operation') eq '0' }), "$name: nothing waits");
	is(rows('SELECT rows - keyed, wrong, doubled, missing, not_written FROM paws_sync.verify_crisis_audit()'), '0|0|0|0|0', "$name: the log is whole");
	return;
}

# Applied in the caller's transaction; the server is gone as soon as another device has it.
foreach my $round (1 .. 2)
{
	my $id = new_uuid();
	rows("SELECT * FROM paws_sync.push_crisis('$phone', '[" . op_json('safety', op_id => $id) . "]')");
	is(told(), "change $id", "round $round: a change is seen");
	kill_postmaster($node);
	is_whole($id, "round $round");
}

# It waits in the lane's queue: seen as pending, and the server is gone.
my $holder = session($node);
my $id = new_uuid();
sub push_held
{
	$holder->query_safe("BEGIN; SELECT 1 FROM paws_crisis.counter WHERE subject_no = $counter FOR UPDATE");
	is(rows("SELECT outcome, receipt FROM paws_sync.push_crisis('$phone', '[" . op_json('safety', op_id => $_[0]) . "]')"), 'accepted|', 'the counter is held');
	like(told(), qr/(^| )pending $_[0]$/, 'a pending operation is seen');
	return;
}
push_held($id);
kill_postmaster($node);
is_whole($id, 'pending');

# A crisis worker applied it, and the device has seen that; the worker's commit is as durable as any.
$holder = session($node);
$id = new_uuid();
push_held($id);
$holder->query_safe('ROLLBACK');
my $seen = '';
within(30, sub { $seen = told(); $seen =~ /change/ });
is($seen, "change $id", 'applied by a worker, and seen');
kill_postmaster($node);
is_whole($id, 'applied by a worker');

# A worker dies, and the server with it, before its commit, and after it and before anybody was told.
foreach my $place (1, 2)
{
	my $offset = -s $node->logfile;

	$holder = session($node);
	$id = new_uuid();
	push_held($id);
	append_to_file("$order.new", "$place\n");
	rename "$order.new", $order or die "$order: $!";
	eval { $holder->query('ROLLBACK') };
	ok(within(60, sub { !-e $order }), "a worker kills itself at place $place");
	like(slurp_file("$order.passed"), qr/workers\/crisis\.c/, 'which is one of the lane');
	unlink "$order.passed";
	ok(within(60, sub { log_since($node, $offset) =~ /was terminated by signal 9/ }), 'the server resets itself');
	ok(within(60, sub { $node->psql('postgres', 'SELECT 1') == 0 }), 'and comes back');
	is_whole($id, "place $place");
	eval { $holder->quit };
}
$node->stop('immediate');

done_testing();
