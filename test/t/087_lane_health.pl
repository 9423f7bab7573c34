# The crisis lane knows how it is, whatever is killed, stopped, locked, filled or restarted, and says so before anybody asks.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('lane_health', 'paws_sync.canary_interval' => '1s', 'paws_sync.storage_alarm' => 0, 'log_line_prefix' => '%m [%p] %b %e ',
	'wal_level' => 'replica', 'max_wal_senders' => 4);
my $view = 'paws_sync.pg_stat_paws_sync_crisis';

sub rows { return $node->safe_psql('postgres', shift) }
sub state { return rows("SELECT state FROM $view") }
sub until_state { my ($state, $name) = @_; return ok(until_sql($node, "SELECT state = '$state' FROM $view"), $name // "it is $state") }
sub until_alarm { my ($alarm, $name) = @_; return ok(until_sql($node, "SELECT raised FROM paws_sync.pg_stat_paws_sync_alarms WHERE alarm = '$alarm'"), $name // "$alarm is raised") }
sub until_over { my ($alarm, $name) = @_; return ok(until_sql($node, "SELECT NOT raised FROM paws_sync.pg_stat_paws_sync_alarms WHERE alarm = '$alarm'", seconds => 120), $name // "$alarm is over") }
sub rounds { return rows("SELECT canary_rounds FROM $view") }
# So many more rounds, whatever became of them.
sub more_rounds { my ($more) = @_; my $wanted = rounds() + $more; return ok(until_sql($node, "SELECT canary_rounds >= $wanted FROM $view"), "$more more rounds") }
# A good one that begins from now on.
sub good_round
{
	my ($name) = @_;
	my $from = rounds() + 1;
	return ok(until_sql($node, "SELECT canary_rounds > $from AND state IN ('ok', 'degraded') FROM $view"), $name);
}
sub account { my ($column) = @_; return rows("SELECT sum($column) FROM paws_crisis.canary") }

# Before the first device there is nobody to watch for, and the database is bound to no keys.
until_state('unwatched', 'without a device nothing is tried');
is(rows("SELECT count(*) FROM paws_crisis.canary") . rows('SELECT count(*) FROM paws_vault.root_check'), '00', 'nothing is written for it');
new_subject($node, 'one', 'trial');
new_subject($node, 'two', 'basic');
my $device = new_device($node, 'one');
my $tablet = new_device($node, 'one', 'web');
my $other = new_device($node, 'two');
sub push_one { my ($token) = @_; return rows("SELECT outcome || ' ' || coalesce(receipt::text, '-') FROM paws_sync.push_crisis('$token', '[" . op_json('safety') . "]')") }

ok(until_sql($node, "SELECT canary_rounds >= 7 AND state <> 'starting' FROM $view"), 'with one it is');
good_round('rounds are good');
is(rows("SELECT attempts + acknowledged + refused + rolled_back + overdue FROM $view"), 0, 'they are in no count of operations');
is(rows("SELECT sum(count) FROM paws_sync.pg_stat_paws_sync_latency"), 0, 'nor in any histogram');
is(rows('SELECT count(*) FROM paws_crisis.operation'), 0, 'what goes by way of the queue is applied');
my $listener = session($node);
$listener->query_safe('LISTEN paws_sync_alarm');

# The ordinary lane locked, with keys and all: nothing that the canary meets.
my $locker = session($node);
$locker->query_safe("BEGIN; SET LOCAL lock_timeout = '10s'; LOCK TABLE " . rows("SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables WHERE schemaname IN ('paws_queue', 'paws_care', 'paws_vault')") . ' IN ACCESS EXCLUSIVE MODE');
good_round('every table of queue, care and vault locked: rounds are good');
$locker->query_safe('ROLLBACK');

# A lock on what the lane does need is noticed, told once, and over some time after it is.
my $before = length log_since($node, 0);
$locker->query_safe("BEGIN; LOCK TABLE paws_crisis.document IN ACCESS EXCLUSIVE MODE");
until_state('down', 'the documents of crisis locked: down');
until_alarm('canary_failing');
more_rounds(3);
ok(until_sql($node, "SELECT state = 'down' FROM paws_sync.status() WHERE component = 'crisis lane'"), 'status() says so');
like(rows("SELECT detail FROM paws_sync.status() WHERE component = 'crisis lane'"), qr/alarms: .*canary_failing/, '… and which alarms');
ok(until_sql($node, "SELECT NOT ok FROM paws_sync.doctor() WHERE check_name = 'crisis lane'"), 'and doctor()');
$locker->query_safe('ROLLBACK');
good_round('the lock is gone: up again');
my $said = log_since($node, $before);
is(scalar(() = $said =~ /WARNING:  alarm canary_failing is raised/g), 1, 'one line in the log, however many rounds failed');
like($said, qr/PW020 WARNING:  alarm canary_failing is raised.*\n.*DETAIL:  A crisis operation of the lane's own was refused, not seen, or seen too late\./, '… with a code and its sentence');
like($listener->query('SELECT 1'), qr/Asynchronous notification "paws_sync_alarm" with payload "canary_failing raised"/, 'and a notification');

ok(until_sql($node, 'SELECT count(*) = 0 FROM paws_crisis.operation'), 'what waited meanwhile is applied: a lock counts against nobody');

# The views do not wait for locks.
$locker->query_safe('BEGIN; LOCK TABLE paws_crisis.canary, paws_crisis.operation IN ACCESS EXCLUSIVE MODE');
is(rows("SELECT num_nulls(available_1d, available_30d, waiting, stuck) || ' ' || num_nulls(state, attempts, canary_last) FROM $view"), '4 0', 'with their tables locked what these hold is unknown, and nothing else');
$locker->query_safe('ROLLBACK');

# Crisis workers that hang: nobody who waits is told, and that is what counts.
my @crisis = worker_pids($node, 'crisis');
kill 'STOP', @crisis;
until_state('down', 'consumers that hang: down');
kill 'CONT', @crisis;
good_round('they go on: up again');

# Crisis workers that die and are not replaced: the lane is there, and somebody has to know.
my ($launcher) = worker_pids($node, 'launcher');
kill 'STOP', $launcher;
kill 'TERM', @crisis;
until_alarm('crisis_workers');
more_rounds(7);
isnt(state(), 'down', 'without crisis workers the lane is there');
is(push_one($device), 'accepted applied', 'and serves');
kill 'CONT', $launcher;
ok(until_sql($node, "SELECT count(*) = 2 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'crisis' AND pid IS NOT NULL"), 'they come back');
good_round('and take part');

# The canary dies: the time is proven all the same.
my ($canary) = worker_pids($node, 'canary');
kill 'TERM', $canary;
ok(until_sql($node, "SELECT pid <> $canary FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'canary'"), 'a canary is replaced');
good_round('and goes on');

# Refusals and rollbacks: an alarm each, told once.
$before = length log_since($node, 0);
my $counted = rows("SELECT refused || ' ' || rolled_back FROM $view");
foreach (1 .. 20)
{
	$node->psql('postgres', "BEGIN READ ONLY; SELECT paws_sync.push_crisis('$device', '[" . op_json('safety') . "]')");
	rows("BEGIN; SELECT paws_sync.push_crisis('$device', '[" . op_json('safety') . "]'); ROLLBACK");
}
is(rows("SELECT refused || ' ' || rolled_back FROM $view"), '20 20', "of none, 20 each are counted ($counted before)");
until_alarm($_) foreach qw(refused rolled_back);
is(scalar(() = log_since($node, $before) =~ /alarm (?:refused|rolled_back) is raised/g), 2, 'a line for each alarm');

# Queue: old, filling, full, and empty again. What was acknowledged is there.
my $waits = "SELECT count(*) FROM paws_crisis.operation o JOIN paws_registry.device d USING (device_no) WHERE d.device::text IN ('$device', '$other')";
set_option($node, 'paws_sync.crisis_queue_max', 3);
set_option($node, 'paws_sync.canary_interval', 0);
ok(until_sql($node, "SELECT NOT running FROM paws_crisis.canary ORDER BY hour DESC LIMIT 1"), 'the canary is off, so that it takes no room');
my $one = rows("SELECT subject_no FROM paws_registry.device WHERE device::text = '$device'");
$locker->query_safe("BEGIN; SELECT 1 FROM paws_crisis.counter WHERE subject_no = $one FOR UPDATE");
is(push_one($device), 'accepted -', 'one waits');
is(push_one($device), 'accepted -', 'two wait');
until_alarm('queue_filling', 'half full: queue_filling is raised');
is(push_one($device), 'accepted -', 'three wait');
error_like($node, "SELECT * FROM paws_sync.push_crisis('$device', '[" . op_json('safety') . "]')", '53400', qr/Repeat the call\..*pg_stat_paws_sync_alarms/, 'the fourth is refused, with a hint') foreach 1 .. 2;
is(rows("SELECT count FROM paws_sync.pg_stat_paws_sync_crisis_refusals WHERE code = 'queue_full'"), 2, '… and counted');
is(rows("SELECT outcome FROM paws_sync.push('$other', '[" . op_json('safety') . "]')"), 'accepted', 'who is not held is served');
is(rows($waits), 3, 'what was acknowledged is there, and nothing else');
is(rows("SELECT count(*) FROM paws_sync.pull_crisis('$tablet') WHERE kind = 'pending'"), 3, 'and told to devices');
my $waiting = rows("SELECT string_agg(op_id::text, ',') FROM paws_crisis.operation WHERE subject_no = $one");
ok(until_sql($node, "SELECT raised AND measured > threshold FROM paws_sync.pg_stat_paws_sync_alarms WHERE alarm = 'queue_old'"), 'after a while queue_old is raised');
is(rows("SELECT waiting || ' ' || stuck || ' ' || (oldest_age > '5 s') FROM $view"), '3 0 true', 'the view says the same');
$locker->query_safe('ROLLBACK');
ok(until_sql($node, "SELECT waiting = 0 FROM $view"), 'they are applied');
is(rows("SELECT string_agg(DISTINCT outcome::text, ' ') || ' ' || count(*) FROM paws_sync.receipts('$device', '{$waiting}')"), 'applied 3', 'once each');
is(push_one($device), 'accepted applied', 'the next one has room');
# what was counted in memory may be wrong: somebody deleted rows by hand
set_option($node, 'paws_sync.crisis_queue_max', 1);
$locker->query_safe("BEGIN; SELECT 1 FROM paws_crisis.counter WHERE subject_no = $one FOR UPDATE");
is(push_one($device), 'accepted -', 'one waits');
rows('DELETE FROM paws_crisis.operation');
ok(within(60, sub { (error_of($node, "SELECT * FROM paws_sync.push_crisis('$device', '[" . op_json('safety') . "]')"))->{sqlstate} eq '' }), 'the table is counted anew, and there is room again');
# one that fails for good
rows('UPDATE paws_crisis.operation SET envelope = set_byte(envelope, 90, get_byte(envelope, 90) # 1)');
$locker->query_safe('ROLLBACK');
until_alarm('queue_stuck');
rows('DELETE FROM paws_crisis.operation');
set_option($node, 'paws_sync.crisis_queue_max', 100000);

# Storage, as the setting says. What cannot be notified is notified later.
my $failed = "SELECT sum(errors) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'canary'";
my $release = hold_notify($node);
my $errors = rows($failed);
set_option($node, 'paws_sync.storage_alarm', "'1000TB'");
until_alarm($_) foreach qw(storage_data storage_wal);
ok(until_sql($node, "SELECT ($failed) > $errors"), 'nobody can be notified');
$release->();
my $heard = '';
ok(within(30, sub { ($heard .= $listener->query('SELECT 1')) =~ /"storage_data raised"/ && $heard =~ /"storage_wal raised"/ }), 'who listens hears of it when it is possible again');
is(scalar(() = $heard =~ /"storage_data raised"/g), 1, 'once');
set_option($node, 'paws_sync.storage_alarm', 0);

# On again: the time in between is not accounted for.
my $measured = account('measured');
set_option($node, 'paws_sync.canary_interval', "'1s'");
more_rounds(3);
ok(within(60, sub { account('measured') > $measured }), 'it is on again');
cmp_ok(account('measured') - $measured, '<', rows("SELECT extract(epoch FROM now() - pg_postmaster_start_time()) * 1000000"), 'what passed while it was off is not measured');

# A restart counts as down, however short, and so does a crash.
foreach my $mode (qw(fast immediate))
{
	good_round("$mode: before");
	$node->stop($mode);
	my ($was_measured, $was_there);
	usleep(1_500_000);
	$node->start;
	more_rounds(3);
	my $longest = rows("SELECT max(measured - there) FROM paws_crisis.canary");
	cmp_ok($longest, '>=', 1_500_000, "$mode: not there for at least as long as the server was down");
	is(rows("SELECT available_1d < 1 AND available_30d < 1 FROM $view"), 't', '… in both shares');
	rows('UPDATE paws_crisis.canary SET there = measured');
}
is(rows("SELECT available_1d FROM $view"), 1, 'they are what the table says');
# days ago is another share
rows("INSERT INTO paws_crisis.canary SELECT date_bin('1 hour', now() - '5 days'::interval, '2000-01-01 00:00+00'), 3600000000, 0, 1, now() - '5 days'::interval, 1, 1, true");
is(rows("SELECT available_1d = 1 AND available_30d < 1 FROM $view"), 't', 'an hour five days ago counts for the month alone');
rows("INSERT INTO paws_crisis.canary SELECT date_bin('1 hour', now() - '40 days'::interval, '2000-01-01 00:00+00'), 3600000000, 0, 1, now() - '40 days'::interval, 1, 1, true");
ok(until_sql($node, "SELECT count(*) = 0 FROM paws_crisis.canary WHERE hour < now() - '32 days'::interval"), 'what is older than 31 days goes');
# down for two days: every hour of them is accounted for, as down
$node->stop;
$node->start;
rows("DELETE FROM paws_crisis.canary");
set_option($node, 'paws_sync.canary_interval', 0);
ok(until_sql($node, "SELECT canary_last IS NULL OR state = 'unwatched' OR state = 'degraded' FROM $view"), 'off');
usleep(2_500_000);
rows("DELETE FROM paws_crisis.canary; INSERT INTO paws_crisis.canary SELECT date_bin('1 hour', now() - '50 hours'::interval, '2000-01-01 00:00+00'), 0, 0, 1, now() - '50 hours'::interval, 1, 0, true");
set_option($node, 'paws_sync.canary_interval', "'1s'");
restart_node($node);
ok(until_sql($node, 'SELECT count(*) >= 50 FROM paws_crisis.canary'), 'two days down are 50 hours');
is(rows('SELECT abs(sum(measured) / 1000000 - 50 * 3600) < 600 FROM paws_crisis.canary'), 't', 'all of them accounted for');
is(rows("SELECT available_1d < 0.1 AND available_30d < 0.1 FROM $view"), 't', 'as down');

# A commit that waits for a standby that is gone: the canary is silent, and somebody else says so.
$before = length log_since($node, 0);
set_option($node, 'synchronous_standby_names', "'nobody'");
until_alarm('canary_silent');
until_state('down');
like(log_since($node, $before), qr/paws_sync launcher PW020 WARNING:  alarm canary_silent is raised/, 'the launcher says it');
set_option($node, 'synchronous_standby_names', "''");
good_round('released: up again');

# Without keys the lane goes on, and so does its test.
my $keys = $node->basedir . '/keys';
$node->stop;
$node->adjust_conf('postgresql.conf', "paws_sync.${_}_root", "''") foreach qw(care crisis billing);
$node->start;
ok(until_sql($node, "SELECT canary_rounds >= 7 AND state IN ('ok', 'degraded') FROM $view"), 'without keys rounds are good');
$node->stop;
$node->adjust_conf('postgresql.conf', "paws_sync.${_}_root", "'file:$keys/$_.root'") foreach qw(care crisis billing);
$node->start;
good_round('with them again too');

# Its subject is one like any other: keys rotate with it, it can be lost, and its feed does not grow.
my $job = rows("SELECT paws_sync.rotate_keys('data_keys')");
ok(until_sql($node, "SELECT finished_at IS NOT NULL AND left_over = 0 FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE job = $job"), 'data keys rotate beside it');
good_round('and it goes on');
rows("UPDATE paws_crisis.feed f SET finished_at = finished_at - '2 hours'::interval FROM paws_registry.device d JOIN paws_crisis.canary_device c ON c.device::text = d.device::text WHERE f.device_no = d.device_no");
($canary) = worker_pids($node, 'canary');
kill 'TERM', $canary;
ok(until_sql($node, "SELECT count(*) = 0 FROM paws_crisis.feed WHERE finished_at < now() - '90 min'::interval"), 'old entries of its feed go');
good_round('and consumers find their way');
rows('DELETE FROM paws_registry.device d USING paws_crisis.canary_device c WHERE c.device::text = d.device::text');
ok(until_sql($node, 'SELECT count(*) = 2 FROM paws_registry.device d JOIN paws_crisis.canary_device c ON c.device::text = d.device::text'), 'its devices are lost: it gets new ones');
good_round('and goes on with them');

# Created anew, the extension finds nothing of its predecessor; without it the canary rests.
rows('DROP EXTENSION paws_sync');
usleep(1_500_000);
rows("SET client_min_messages = warning; CREATE EXTENSION paws_sync; SELECT paws_sync.define_collection('safety', 'safety')");
is(rows("SELECT canary_rounds FROM $view"), 0, 'a new extension has no rounds');
new_device($node, 'one');
ok(until_sql($node, "SELECT canary_rounds >= 3 AND state IN ('ok', 'degraded') FROM $view"), 'with a device it has');

until_over('refused', 'alarms end by themselves');
$_->quit foreach $locker, $listener;
crash_free($node);
$node->stop;
done_testing();
