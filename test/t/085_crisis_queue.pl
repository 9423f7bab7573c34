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
new_subject($node, 'three', 'trial');
new_subject($node, 'four', 'trial');
my ($phone, $tablet) = map { new_device($node, 'one') } 1 .. 2;
my $other = new_device($node, 'two');
my ($watch, $browser) = map { new_device($node, 'three') } 1 .. 2;
my $fourth = new_device($node, 'four');

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

# Two have read what waits, and the second one gets the counter after the first has applied it: it was taken out once, so
# there is not more room than there is.
my $three = number('three');
my $four = number('four');
my $four_holder = session($node);
my $pusher = session($node);
$four_holder->query_safe("BEGIN; SELECT 1 FROM paws_crisis.counter WHERE subject_no = $four FOR UPDATE");
is(push_one($fourth), 'accepted -', 'a fourth person has one waiting') foreach 1 .. 2;
my $both = 0;
foreach my $try (1 .. 20)
{
	hold($three);
	push_one($watch);
	my $until = 'DO $$BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted) AND clock_timestamp() < statement_timestamp() + interval $w$2 s$w$ LOOP PERFORM pg_sleep(0.001); END LOOP; END$$';
	$holder->query_safe("SELECT FROM paws_sync.push_crisis('$watch', '[" . op_json('safety') . "]')");
	is(rows("SELECT count(*) FROM paws_crisis.operation WHERE subject_no = $three"), 1, 'what was applied is not committed');
	start_query($holder, "$until; COMMIT");
	start_query($pusher, "SELECT outcome || ' ' || coalesce(receipt::text, '-') FROM paws_sync.push_crisis('$browser', '[" . op_json('safety') . "]')");
	my $said = $pusher->query('SELECT 1');
	$holder->query('SELECT 1');
	ok(within(30, sub { waiting() eq '2' }), 'all of it is applied');
	last if $both = $said =~ /accepted applied/;
}
ok($both, 'both had it before them');
set_option($node, 'paws_sync.crisis_queue_max', 2);
error_like($node, "SELECT * FROM paws_sync.push_crisis('$fourth', '[" . op_json('safety') . "]')", '53400', undef, 'the two that wait are counted still');
set_option($node, 'paws_sync.crisis_queue_max', 100000);
$four_holder->query_safe('ROLLBACK');
$_->quit foreach $four_holder, $pusher;
ok(within(30, sub { waiting() eq '0' }), 'these are applied, too');

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

# Much waits. Operations have numbers here.
sub id { my ($n) = @_; return "('00000000-0000-4000-8000-' || lpad(($n)::text, 12, '0'))::uuid" }
sub push_numbers
{
	my ($device, $from, $to, $bytes) = @_;
	my ($count, $ids) = ($to - $from + 1, 'ARRAY(SELECT ' . id('n') . " FROM generate_series($from, $to) n)");
	$bytes //= 5;
	return "SELECT string_agg(DISTINCT outcome || ' ' || coalesce(receipt::text, '-'), ', ') FROM paws_sync.push_many('$device', $ids, "
	  . "array_fill('safety'::text, ARRAY[$count]), $ids, array_fill(0::bigint, ARRAY[$count]), array_fill(repeat('x', $bytes)::bytea, ARRAY[$count]))";
}

# What a device is told as pending, in pages of so many rows: numbers, the cursor behind them, and the longest page.
sub told
{
	my ($device, $cursor, $page) = @_;
	my ($longest, @told) = (0);

	for (;;)
	{
		my $from = $cursor ? "'$cursor'" : 'NULL';
		my @rows = split /\n/, rows("SELECT \"cursor\", kind, right(op_id::text, 12)::integer FROM paws_sync.pull_crisis('$device', $from, $page)");
		last unless @rows;
		$longest = @rows if @rows > $longest;
		$cursor = (split /\|/, $rows[-1])[0];
		push @told, map { /\|pending\|(\d+)/ ? $1 : () } @rows;
	}
	return (join(' ', @told), $cursor, $longest);
}

sub applied { return rows("SELECT string_agg(right(op_id::text, 12)::integer::text, ' ' ORDER BY position) FROM paws_crisis.feed WHERE subject_no = $three AND op_id > " . id(shift) . " AND op_id < " . id(1000)) }

# Nothing hides behind a hundred rows: neither of others, nor of one's own.
my $place = (split /\n/, rows("SELECT \"cursor\" FROM paws_sync.pull_crisis('$browser')"))[-1];
my $own_place = (split /\n/, rows("SELECT \"cursor\" FROM paws_sync.pull_crisis('$watch')"))[-1];
my ($seen, $longest);
hold($three);
is(rows(push_numbers($watch, 1, 120)), 'accepted -', 'a hundred and twenty wait');
is(rows(push_numbers($browser, 201, 201)), 'accepted -', 'and one of the other device');
is((told($watch, $own_place, 500))[0], '201', 'a device is told of it, however many of its own wait');
my $start = $place;
($seen, $place, $longest) = told($browser, $start, 50);
is($seen, join(' ', 1 .. 120), 'all are told, in their order, once');
is($longest, 50, 'a page is as long as was asked for');
my $middle = rows("SELECT \"cursor\" FROM paws_sync.pull_crisis('$browser', '$start', 50) OFFSET 29 LIMIT 1");
is((told($browser, $middle, 500))[0], join(' ', 31 .. 120), 'from any row it goes on behind it');
is((told($browser, $start, 1))[0], join(' ', 1 .. 120), 'by single rows, too');
is((told($browser, $place, 500))[0], '', 'what was told is not told again');
is(rows(push_numbers($watch, 110, 121)), 'accepted -, duplicate -', 'what waits is known as a repeat');
is(waiting(), 122, 'and not added again');
($seen, $place) = told($browser, $place, 500);
is($seen, '121', 'what is new is told alone');

# One that was there first commits last.
my $late = session($node);
$late->query_safe('BEGIN; ' . push_numbers($watch, 122, 122));
is(rows(push_numbers($watch, 123, 123)), 'accepted -', 'another one overtakes it');
($seen, $place) = told($browser, $place, 500);
is($seen, '123', 'and is told');
$late->query_safe('COMMIT');
$late->quit;
($seen, $place) = told($browser, $place, 50);
is($seen, join(' ', 1 .. 123), 'the late one is told; with the others, for what a device has is not what waits');

# Whoever has the counter applies a hundred before its own at most. Nothing overtakes.
like($holder->query_safe(push_numbers($watch, 124, 124)), qr/accepted -/, 'a push behind many waits with them');
is($holder->query_safe("SELECT count(*) FROM paws_crisis.operation WHERE subject_no = $three"), 125, 'and applies none of them');
$holder->query_safe('COMMIT');
ok(within(60, sub { waiting() eq '0' }), 'all are applied');
is(applied(0), join(' ', 1 .. 120, 201, 121 .. 124), 'in the order in which they came');
hold($three);
is(rows(push_numbers($watch, 301, 401)), 'accepted -', 'a hundred and one wait');
like($holder->query_safe(push_numbers($watch, 402, 402)), qr/accepted -/, 'a push behind these is the next');
$holder->query_safe('COMMIT');
ok(within(60, sub { waiting() eq '0' }), 'all are applied');
is(applied(300), join(' ', 301 .. 402), 'in the order in which they came');
hold($three);
is(rows(push_numbers($watch, 411, 510)), 'accepted -', 'a hundred wait');
like($holder->query_safe(push_numbers($watch, 511, 511)), qr/accepted applied/, 'a push behind just these applies them');
$holder->query_safe('COMMIT');
is(waiting(), 0, 'nothing waits');
is(applied(410), join(' ', 411 .. 511), 'in their order');
# few, but large
hold($three);
is(rows(push_numbers($watch, $_, $_ + 5, 1_000_000)), 'accepted -', 'six megabytes wait') foreach 601, 607, 613;
like($holder->query_safe(push_numbers($watch, 619, 619)), qr/accepted -/, 'a push behind too many bytes waits with them');
$holder->query_safe('COMMIT');
ok(within(60, sub { waiting() eq '0' }), 'all are applied');
is(applied(600), join(' ', 601 .. 619), 'in the order in which they came');
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
