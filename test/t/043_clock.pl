# The wall clock of a running server is set forward and back by hours, and the time zone is changed: no operation is stuck or
# lost, nobody waits for the clock to come back, and nothing that is shown is absurd. The server runs under libfaketime, which
# takes its offset from a file; the monotonic clock stays as it is, as on a real machine.
use strict;
use warnings;

use PawsLoad;
use PawsKeyring;
use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;

my ($library) = glob('/usr/lib/*/faketime/libfaketimeMT.so.1');

die('libfaketime is not installed: "bash test/deps.sh demo" does that') unless $library;

my $offset_file = "$PostgreSQL::Test::Utils::tmp_check/043_clock_offset";
my %fake = (
	LD_PRELOAD => build_module('plain_select') . " $library",
	FAKETIME_TIMESTAMP_FILE => $offset_file,
	FAKETIME_NO_CACHE => 1,
	FAKETIME_DONT_FAKE_MONOTONIC => 1);

# By a rename, so that nobody reads half of it.
sub set_clock
{
	my ($offset) = @_;

	append_to_file("$offset_file.new", sprintf("%+d\n", $offset));
	rename "$offset_file.new", $offset_file or die "$offset_file: $!";
	return;
}

seed_random();
set_clock(0);
my $node = PawsNode->new_node('clock', 'paws_sync.pool_size' => 2, 'paws_sync.max_wait_with_snapshot' => '60s', 'paws_sync.key_cache_ttl' => '1s');
$node->stop;
{
	local @ENV{ keys %fake } = values %fake;
	$node->start;
}
wait_workers($node);

sub hours_off
{
	return $node->safe_psql('postgres', "SELECT round(extract(epoch FROM clock_timestamp() - to_timestamp(@{[time]})) / 3600)");
}

is(hours_off(), 0, 'the clock is right');
set_clock(3600);
is(hours_off(), 1, 'the clock is an hour ahead');
set_clock(-3600);
is(hours_off(), -1, 'the clock is an hour behind');
wait_for_sql($node, 'the workers to see it too',
	"SELECT last_active_at < to_timestamp(@{[time]}) - '30 min'::interval FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'");
set_clock(0);

# Under load, again and again, with the time zone of the server changing too.
my $load = PawsLoad->new($node, writers => 4, subjects => 2, crisis => 0.2, rollbacks => 0.2);
my @steps = ([ 3600, 'UTC' ], [ 0, 'Pacific/Kiritimati' ], [ -3600, 'America/St_Johns' ], [ 7200, 'Asia/Kathmandu' ], [ -7200, 'UTC' ]);
$load->begin(1200);
foreach my $step (@steps)
{
	$load->wait_progress(100) if $load->running;
	set_clock($step->[0]);
	$node->safe_psql('postgres', "ALTER SYSTEM SET timezone = '$step->[1]'");
	$node->reload;
}
is($load->finish, 0, 'every session came to its end');
is($load->complaints, '', 'and had no error');
$load->check('steps of the clock');
is($node->safe_psql('postgres', 'SELECT sum(errors) FROM paws_sync.pg_stat_paws_sync_workers'), 0, 'no worker had an error');
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_sync.pg_stat_paws_sync_latency WHERE p50 < 0 OR max < 0 OR attainment NOT BETWEEN 0 AND 1'), 0, 'no latency is negative');

# A server that crashes and starts with its clock behind.
$load->begin(150);
$load->wait_progress(20);
set_clock(-10800);
my ($worker) = worker_pids($node, 'pool');
kill 'KILL', $worker;
$load->finish;
wait_workers($node);
$load->check('a crash with the clock behind');

# Who waits is not kept by a clock that goes back, nor woken with empty hands by one that goes ahead.
new_subject($node, 'one', 'premium');
my $phone = new_device($node, 'one');
my $tablet = new_device($node, 'one', 'web');
my (undef, $cursor) = paws_pull($node, $tablet);
my $waiter = "$PostgreSQL::Test::Utils::tmp_check/043_clock_waiter";
my $from = defined $cursor ? "'$cursor'" : 'NULL';

sub start_waiting
{
	my ($seconds) = @_;

	unlink "$waiter.sql";
	append_to_file("$waiter.sql", "SET application_name = 'waiter';\nSELECT kind, op_id FROM paws_sync.pull_wait('$tablet', $from, '$seconds s');\n");
	my $pid = start_psql($node, "$waiter.sql", "$waiter.out", "$waiter.err");
	wait_for_sql($node, 'the waiter to wait', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'waiter' AND wait_event = 'Extension'");
	return $pid;
}

my $pid = start_waiting(4);
set_clock(-18000);
wait_for_sql($node, 'the waiter to give up', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'waiter'");
waitpid $pid, 0;
is(slurp_file("$waiter.out"), '', 'a waiter gives up in its time, though the clock went back');

$pid = start_waiting(50);
set_clock(18000);
my $op_id = new_uuid();
paws_push($node, $phone, [ op_json('interactive', op_id => $op_id) ]);
waitpid $pid, 0;
like(slurp_file("$waiter.out"), qr/^change\|$op_id$/m, 'and gets what comes, though the clock went ahead');

# A worker that is lost with the clock behind is replaced.
set_clock(-3600);
($worker) = worker_pids($node, 'pool');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
wait_for_sql($node, 'the worker to be replaced',
	"SELECT count(*) FILTER (WHERE pid <> $worker) = 2 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'pool' AND pid IS NOT NULL");
($worker) = worker_pids($node, 'scheduler');
set_clock(-7200);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($worker)");
wait_for_sql($node, 'the scheduler to be replaced',
	"SELECT count(*) FILTER (WHERE pid <> $worker) = 1 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler' AND pid IS NOT NULL");
pass('workers come back');

# The house is kept: a feed entry that is beyond its window goes.
$node->safe_psql('postgres', "UPDATE paws_care.feed SET finished_at = finished_at - '400 days'::interval WHERE op_id = '$op_id'");
wait_for_sql($node, 'the old entry to go', "SELECT count(*) = 0 FROM paws_care.feed WHERE op_id = '$op_id'");
set_clock(-10800);
paws_push($node, $phone, [ op_json('interactive', op_id => $op_id) ]);
wait_applied($node);
$node->safe_psql('postgres', "UPDATE paws_care.feed SET finished_at = finished_at - '400 days'::interval WHERE op_id = '$op_id'");
wait_for_sql($node, 'the old entry to go', "SELECT count(*) = 0 FROM paws_care.feed WHERE op_id = '$op_id'");
pass('housekeeping goes on with the clock behind');

# Rotations end.
my $job = $node->safe_psql('postgres', "SELECT paws_sync.rotate_keys('data_keys')");
wait_for_sql($node, 'the rotation to begin', "SELECT phase <> 'requested' FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job");
set_clock(-14400);
wait_for_sql($node, 'the rotation to end', "SELECT phase = 'finished' FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job");
is($node->safe_psql('postgres', "SELECT left_over FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job"), 0, 'rotations end with the clock behind');

# What was limited is let in again in its time.
$node->safe_psql('postgres', "SELECT paws_sync.set_tier_policy('basic', ops_per_second => 2, ops_burst => 3)");
new_subject($node, 'limited', 'basic');
my $limited = new_device($node, 'limited');
my @answers = map { (paws_push($node, $limited, [ op_json('standard') ]))[0]{outcome} } 1 .. 8;
like("@answers", qr/^accepted .*limited$/, 'a subject is over its rate');
set_clock(-18000);
wait_for_sql($node, 'the subject to be let in',
	"SELECT outcome = 'accepted' FROM paws_sync.push('$limited', '[" . op_json('standard') . "]')");
wait_applied($node);
pass('and comes in again with the clock behind');

# What failed is tried again after its pause, not after the clock has come back.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE poison (op_id uuid);
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM public.poison p WHERE p.op_id = NEW.op_id) THEN
		RAISE EXCEPTION 'poisoned';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER poison BEFORE INSERT ON paws_care.feed FOR EACH ROW EXECUTE FUNCTION poison();
SQL
$op_id = new_uuid();
$node->safe_psql('postgres', "INSERT INTO poison VALUES ('$op_id')");
paws_push($node, $phone, [ op_json('standard', op_id => $op_id) ]);
wait_for_sql($node, 'two failures', 'SELECT max(attempts) >= 2 FROM paws_queue.operation');
set_clock(-21600);
$node->safe_psql('postgres', 'TRUNCATE poison');
wait_applied($node);
is($node->safe_psql('postgres', "SELECT outcome FROM paws_sync.receipts('$phone', ARRAY['$op_id']::uuid[])"), 'applied', 'what failed is tried again with the clock behind');
$node->safe_psql('postgres', 'DROP FUNCTION poison CASCADE');

# What is measured from here on is measured as it is.
$node->safe_psql('postgres', 'SELECT paws_sync.stat_reset()');
my $hold = hold_subjects($node);
my @held = map { new_uuid() } 1 .. 5;
paws_push($node, $phone, [ map { op_json('interactive', op_id => $_) } @held ]);
set_clock(-25200);
release_subjects($node, $hold);
wait_applied($node);
is($node->safe_psql('postgres', "SELECT count, CASE WHEN max BETWEEN 0 AND 600000 THEN 'sane' ELSE max::text END FROM paws_sync.pg_stat_paws_sync_latency WHERE class = 'interactive' AND tier = 'premium'"),
	'5|sane', 'what waited while the clock went back has no absurd latency');
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_sync.pg_stat_paws_sync_lanes WHERE in_rate < 0 OR out_rate < 0 OR oldest_age < \'0\'::interval'),
	0, 'nor is any rate or age negative');
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_sync.doctor() WHERE area IN ('status', 'workers', 'horizon') AND NOT ok"), 0, 'doctor() finds nothing');

# Sessions in any zone.
foreach my $zone ('Pacific/Kiritimati', 'America/St_Johns', 'Antarctica/Troll')
{
	$node->safe_psql('postgres', "ALTER DATABASE postgres SET timezone = '$zone'");
	my $id = new_uuid();
	paws_push($node, $phone, [ op_json('interactive', op_id => $id), op_json('safety') ]);
	wait_applied($node);
	is($node->safe_psql('postgres', "SELECT outcome FROM paws_sync.receipts('$phone', ARRAY['$id']::uuid[])"), 'applied', "in zone $zone");
}
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_sync.doctor() WHERE area = 'minimisation' AND NOT ok"), 0, 'times are as coarse as ever');

$node->stop('immediate');
done_testing();
