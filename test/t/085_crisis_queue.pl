# The crisis lane's own queue and its workers: whatever is killed, corrupted, forged or forgotten meanwhile.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('crisis_queue', 'fsync' => 'on', 'autovacuum' => 'off');
new_subject($node, 'one', 'trial');
new_subject($node, 'two', 'basic');
my ($phone, $tablet) = map { new_device($node, 'one') } 1 .. 2;
my $other = new_device($node, 'two');

sub rows { return $node->safe_psql('postgres', shift) }
sub number { my ($name) = @_; return rows("SELECT subject_no FROM paws_registry.subject s WHERE s.subject OPERATOR(paws_sync.=) paws_sync.subject_for('$name')") }
sub waiting { return rows('SELECT count(*) FROM paws_crisis.operation') }
sub crisis_pids { return split /\n/, rows("SELECT pid FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'crisis' AND pid IS NOT NULL ORDER BY pid") }

my $one = number('one');
my $two = number('two');
ok(within(30, sub { crisis_pids() == 2 }), 'two crisis workers run');

# Somebody holds the counter of a subject; pushes wait in the queue.
my $holder = session($node);
sub hold { $holder->query_safe("BEGIN; SELECT 1 FROM paws_crisis.counter WHERE subject_no = $_[0] FOR UPDATE"); return }
sub let_go { $holder->query_safe('ROLLBACK'); return }
sub push_one
{
	my ($device) = @_;
	return rows("SELECT outcome || ' ' || coalesce(receipt::text, '-') FROM paws_sync.push_crisis('$device', '[" . op_json('safety') . "]')");
}

hold($one);
is(push_one($phone), 'accepted -', 'accepted while the counter is held') foreach 1 .. 3;
is(waiting(), 3, 'three wait');
is(push_one($other), 'accepted applied', 'another subject has nothing to do with it');
is(rows("SELECT string_agg(kind, ' ') FROM paws_sync.pull_crisis('$tablet')"), 'pending pending pending', 'the other device sees them');
is(rows("SELECT count(*) FROM paws_sync.pull_crisis('$phone') WHERE kind = 'pending'"), 0, 'the one that pushed knows them');

# Workers die: each by itself, and both.
my @before = crisis_pids();
rows("SELECT pg_terminate_backend($before[0])");
ok(within(30, sub { my %now = map { $_ => 1 } crisis_pids(); !$now{ $before[0] } && keys %now == 2 }), 'one is replaced');
let_go();
ok(within(30, sub { waiting() eq '0' }), 'what waited is applied');
is(rows("SELECT string_agg(kind, ' ') FROM paws_sync.pull_crisis('$tablet')"), 'change change change', 'and told as documents');
hold($one);
push_one($phone);
rows("SELECT pg_terminate_backend($_)") foreach crisis_pids();
let_go();
ok(within(30, sub { waiting() eq '0' }), 'both terminated: their successors apply it');
is(rows("SELECT count(*) FROM paws_sync.pull_crisis('$tablet')"), 4, 'nothing is lost or doubled');

# What a device has seen survives the death of the server, pending or not.
my $cursor = rows("SELECT \"cursor\" FROM paws_sync.pull_crisis('$tablet') OFFSET 3");
foreach my $round (1 .. 3)
{
	hold($one);
	my $waiter = session($node);
	start_query($waiter, "SELECT 'saw ' || kind || ' ' || op_id FROM paws_sync.pull_crisis_wait('$tablet', '$cursor', '60 s')");
	usleep(20_000);
	my $pushed = rows("SELECT op_id FROM paws_sync.push_crisis('$phone', '[" . op_json('safety') . "]')");
	my ($seen) = $waiter->query('SELECT 1') =~ /saw pending (\S+)/;
	is($seen, $pushed, "round $round: a waiter sees it at once");
	kill_postmaster($node);
	eval { $waiter->quit };
	eval { $holder->quit };
	$holder = session($node);
	ok(within(30, sub { waiting() eq '0' }), 'after a crash it is applied');
	is(rows("SELECT count(*) FROM paws_sync.pull_crisis('$tablet', '$cursor') WHERE op_id = '$pushed' AND kind = 'change'"), 1, 'once');
	$cursor = (split /\n/, rows("SELECT \"cursor\" FROM paws_sync.pull_crisis('$tablet', '$cursor')"))[-1];
}
ok(within(30, sub { crisis_pids() == 2 }), 'two crisis workers run again');

# A row that fails: it stays, the others go on, later pushes too.
hold($one);
push_one($phone) foreach 1 .. 3;
my $bad = rows('SELECT id FROM paws_crisis.operation ORDER BY id OFFSET 1 LIMIT 1');
rows("UPDATE paws_crisis.operation SET envelope = set_byte(envelope, 90, get_byte(envelope, 90) # 1) WHERE id = $bad");
let_go();
ok(within(60, sub { rows('SELECT string_agg(id || $$ $$ || attempts, $$ $$) FROM paws_crisis.operation') eq "$bad 5" }), 'the damaged one stays after five attempts, the others are applied');
is(rows("SELECT kind || ' ' || code FROM paws_sync.pull_crisis('$tablet', '$cursor') WHERE kind = 'pending'"), 'pending envelope_rejected', 'it is told as what it is');
is(push_one($phone), 'accepted applied', 'the next push is applied at once');
is(push_one($phone), 'accepted applied', 'and the next');
is(waiting(), 1, 'nothing else waits');
rows('DELETE FROM paws_crisis.operation');

# Somebody with rights on the table puts in what looks right: a document of another subject, and one sealed to the public key.
hold($two);
push_one($other);
rows("UPDATE paws_crisis.operation SET subject_no = $one");
let_go();
ok(within(60, sub { rows('SELECT attempts FROM paws_crisis.operation') eq '5' }), 'an operation moved to another subject is not applied');
is(rows("SELECT count(*) FROM paws_crisis.document WHERE subject_no = $one AND op_id = (SELECT op_id FROM paws_crisis.operation)"), 0, 'not even in part');
rows('UPDATE paws_crisis.operation SET seal = NULL, attempts = 0');
ok(within(60, sub { rows('SELECT attempts FROM paws_crisis.operation') eq '5' }), 'nor is one without a seal');
rows('DELETE FROM paws_crisis.operation');

# Who is forgotten leaves nothing in the queue.
hold($two);
push_one($other) foreach 1 .. 2;
is(waiting(), 2, 'two wait');
let_go();
rows("SELECT paws_sync.forget(paws_sync.subject_for('two'))");
ok(within(60, sub { rows("SELECT count(*) FROM paws_crisis.operation WHERE subject_no = $two") eq '0' }), 'what waited of one who is forgotten is gone');

# Many at once on one subject, with its counter held in between: each is applied once.
my @pushers = map { session($node) } 1 .. 4;
my $before = rows("SELECT count(*) FROM paws_crisis.document WHERE subject_no = $one");
hold($one);
start_query($pushers[$_], join(";\n", map { "SELECT outcome FROM paws_sync.push_crisis('$phone', '[" . op_json('safety') . "]')" } 1 .. 10)) foreach 0 .. 3;
foreach (1 .. 10) { usleep(30_000); let_go(); usleep(5_000); hold($one) }
let_go();
is(join(' ', map { my $said = $_->query('SELECT 1'); scalar(() = $said =~ /accepted/g) } @pushers), '10 10 10 10', 'all are accepted');
ok(within(60, sub { waiting() eq '0' }), 'nothing waits');
is(rows("SELECT count(*) FROM paws_crisis.document WHERE subject_no = $one") - $before, 40, 'each is applied once');
is(rows("SELECT count(*) = max(position) FROM paws_crisis.feed WHERE subject_no = $one"), 't', 'the feed has no gap');
$_->quit foreach @pushers, $holder;

# A session, reading only, or with one snapshot.
is(rows("BEGIN READ ONLY; SELECT count(*) > 0 FROM paws_sync.pull_crisis_wait('$tablet'); COMMIT"), 't', 'a read-only transaction may wait');
error_like($node, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM paws_sync.pull_crisis_wait('$tablet')", '25001', qr/READ COMMITTED/, 'one snapshot sees nothing new');
error_like($node, "SELECT * FROM paws_sync.pull_crisis_wait('$tablet', NULL, NULL)", '22004', undef, 'no timeout');
error_like($node, "SELECT * FROM paws_sync.pull_crisis_wait('$tablet', NULL, '-1 s')", '22023', undef, 'a negative one');
error_like($node, "SELECT * FROM paws_sync.pull_crisis_wait(NULL)", '22004', undef, 'no device');
error_like($node, "SELECT * FROM paws_sync.pull_crisis_wait('$tablet', NULL, '1 s', 0)", '22023', undef, 'no changes');
ok(depths_agree($node), 'depths agree');
$node->stop;
done_testing();
