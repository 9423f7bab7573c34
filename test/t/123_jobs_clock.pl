# The server's clock is set forward and back by an hour while jobs are worked on, and sessions change their time zone:
# no lease is lost or lasts longer for it, and nothing is stuck. The monotonic clock is not touched, as where an
# operator or NTP sets the clock.

use strict;
use warnings;

use PawsKeyring;
use PawsNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $clock = PostgreSQL::Test::Utils::tempdir_short() . '/clock';

# In seconds. Takes effect at once: the library reads the file at each look at the clock.
sub set_clock
{
	my ($offset) = @_;
	my $next = "$clock.next";

	unlink $next;
	append_to_file($next, "$offset\n");
	rename $next, $clock or die "$clock: $!";
	return;
}

set_clock(0);
my $node = PawsNode->new_node('clock', -no_extension => 1, 'paws_sync.pool_size' => 1, 'paws_sync.max_wait_with_snapshot' => '1s');
$node->stop;
{
	local %ENV = (%ENV, LD_PRELOAD => build_module('clock_shift'), CLOCK_SHIFT_FILE => $clock);
	$node->start;
}
PawsNode::create_extension($node);

sub sql { return $node->safe_psql('postgres', $_[0]) }

my $real = time;
like(sql('SELECT extract(epoch FROM clock_timestamp())::bigint'), qr/^\d+$/, 'the server runs');
set_clock(3600);
cmp_ok(sql('SELECT extract(epoch FROM clock_timestamp())::bigint') - $real, '>', 3000, 'and its clock can be set');
set_clock(0);

sql("SELECT paws_sync.define_topic('letters', lease => '30 s', backoff => '100 ms', max_backoff => '100 ms')");
sql("SELECT paws_sync.define_topic('short', lease => '200 ms')");

sub claim
{
	my ($topic) = @_;
	return split /\|/, sql("SELECT job, fence FROM paws_sync.claim('{$topic}')");
}

foreach my $jump (3600, -3600)
{
	# A lease is neither lost nor longer.
	set_clock(0);
	sql("SELECT paws_sync.submit('letters', 'held')");
	my ($job, $fence) = claim('letters');
	set_clock($jump);
	sql('SELECT pg_sleep(0.3)');    # several looks of the timer
	is(sql("SELECT count(*) FROM paws_sync.claim('{letters}')"), 0, "$jump: a lease is not lost");
	is(sql("SELECT state FROM paws_sync.job_status($job)"), 'running', "$jump: the job runs");
	is(sql("SELECT paws_sync.extend($job, $fence)"), 'extended', "$jump: the lease is extended");
	is(sql("SELECT paws_sync.complete($job, $fence)"), 'completed', "$jump: and the job completed");

	set_clock(0);
	sql("SELECT paws_sync.submit('short', 'dropped')");
	($job, $fence) = claim('short');
	set_clock($jump);
	wait_for_sql($node, "$jump: a lease that is over", "SELECT count(*) = 1 FROM paws_sync.claim('{short}')");
	is(sql("SELECT attempts, reason FROM paws_sync.job_status($job)"), '1|lease_expired', "$jump: a lease that is over is over");
	is(sql("SELECT paws_sync.cancel($job)"), 'cancelled', "$jump: the job is out of the way");

	# A retry waits its delay and no longer.
	set_clock(0);
	$job = sql("SELECT job FROM paws_sync.submit('letters', 'retried')");
	(undef, $fence) = claim('letters');
	is(sql("SELECT paws_sync.fail($job, $fence, '1 s')"), 'retried', "$jump: a job is to be retried");
	set_clock($jump);
	wait_for_sql($node, "$jump: a retry", "SELECT state = 'available' FROM paws_sync.job_status($job)");
	($job, $fence) = claim('letters');
	is(sql("SELECT paws_sync.snooze($job, $fence, '1 s')"), 'snoozed', "$jump: a job is snoozed");
	set_clock(0);
	wait_for_sql($node, "$jump: a snoozed job", "SELECT state = 'available' FROM paws_sync.job_status($job)",
		"SELECT run_at, delay_us, available, clock_timestamp(), (SELECT last_active_at FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'timer') FROM paws_queue.job WHERE id = $job");
	($job, $fence) = claim('letters');
	is(sql("SELECT paws_sync.complete($job, $fence)"), 'completed', "$jump: and done");

	# New work is served as ever, in order, and commits that do not wait for the disk get there.
	set_clock($jump);
	sql("SELECT paws_sync.submit_many('letters', '{1,2,3}')");
	is(sql("SELECT string_agg(convert_from(payload, 'UTF8'), ' '), count(paws_sync.complete(job, fence, durable => false)) FROM paws_sync.claim('{letters}', 10)"),
		'1 2 3|3', "$jump: new work is served");
	wait_for_sql($node, "$jump: the flush", 'SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()');
	is(sql("SELECT count(*) FROM paws_sync.claim_wait('{letters}', timeout => '100 ms')"), 0, "$jump: waiting ends");
}

# A wait that began before the clock is set back ends in time.
set_clock(0);
my $base = "$PostgreSQL::Test::Utils::tmp_check/clock_wait";
append_to_file("$base.sql", "SET application_name = 'waits';\nSELECT count(*) FROM paws_sync.claim_wait('{letters}', timeout => '1 s');\n");
my $waiter = start_psql($node, "$base.sql", "$base.out", "$base.err");
wait_for_sql($node, 'a waiter', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'waits' AND wait_event_type = 'Extension'");
set_clock(-3600);
wait_for_sql($node, 'the end of the wait', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'waits'");
waitpid($waiter, 0);
is($? >> 8, 0, 'a wait ends in time');

# What is due by the clock is due when the clock says so.
set_clock(0);
my $job = sql("SELECT job FROM paws_sync.submit('letters', 'in half an hour', not_before => clock_timestamp() + interval '30 min')");
my $stale = sql("SELECT job FROM paws_sync.submit('letters', 'for half an hour', expires_at => clock_timestamp() + interval '30 min')");
sql('SELECT pg_sleep(0.3)');
is(sql("SELECT string_agg(state::text, ' ') FROM (SELECT state FROM paws_sync.job_status($job) UNION ALL SELECT state FROM paws_sync.job_status($stale)) s"),
	'scheduled available', 'not before its time');
set_clock(3600);
wait_for_sql($node, 'what is due', "SELECT state = 'available' FROM paws_sync.job_status($job)");
wait_for_sql($node, 'what is too late', "SELECT state = 'expired' FROM paws_sync.job_status($stale)");
pass('but then');
is(sql("SELECT count(paws_sync.complete(job, fence)) FROM paws_sync.claim('{letters}', 10)"), 1, 'and is done');

# Time zones are how times are written, and nothing else.
set_clock(0);
$job = sql("SELECT job FROM paws_sync.submit('letters', 'zones')");
my $fence = sql("SET timezone = 'Pacific/Kiritimati'; SELECT fence FROM paws_sync.claim('{letters}')");
is(sql("SET timezone = 'Etc/GMT+12'; SELECT leased_until BETWEEN clock_timestamp() + interval '15 s' AND clock_timestamp() + interval '31 s' FROM paws_sync.job_status($job)"),
	't', 'a lease is the same in all time zones');
is(sql("SET timezone = 'America/St_Johns'; SELECT count(*) FROM paws_sync.claim('{letters}')"), 0, 'held in all');
is(sql("SET timezone = 'Asia/Kathmandu'; SELECT paws_sync.complete($job, $fence)"), 'completed', 'completed in another');
sql("ALTER DATABASE postgres SET timezone = 'Pacific/Apia'");
$job = sql("SELECT job FROM paws_sync.submit('letters', 'soon', not_before => clock_timestamp() + interval '100 ms')");
wait_for_sql($node, 'a delayed job', "SELECT state = 'available' FROM paws_sync.job_status($job)");
pass('and the timer goes by none');

$node->stop;
done_testing();
