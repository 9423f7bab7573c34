# Work is found because its commit wakes a worker, and clients because a worker's commit wakes them: with
# polling as good as off, whatever comes within seconds was woken.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $SOON = 20;

my $node = PawsNode->new_node('wake', 'paws_sync.apply_at_once' => 'off', 'paws_sync.poll_interval' => '60s', 'paws_sync.max_wait_with_snapshot' => '60s');
new_subject($node, 'one', 'premium');
new_subject($node, 'two', 'premium');
my $phone = new_device($node, 'one');
my $tablet = new_device($node, 'one', 'web');
my $stranger = new_device($node, 'two');

sub applied_soon
{
	return until_sql($node, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)', seconds => $SOON);
}

# When each pool worker last did anything; only for a server without work.
sub last_moves
{
	return $node->safe_psql('postgres', "SELECT string_agg(pid || ' ' || coalesce(state_change::text, ''), ', ' ORDER BY pid) FROM pg_stat_activity WHERE backend_type = 'paws_sync pool'");
}

sub waits
{
	my ($name) = @_;
	return until_sql($node, "SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE application_name = '$name'");
}

sub waiter_of
{
	my ($name, $device, $cursor) = @_;
	my $session = session($node);

	$session->query_safe("SET application_name = '$name'");
	start_query($session, "SELECT string_agg(kind || ' ' || coalesce(convert_from(payload, 'UTF8'), '-'), ', ') FROM paws_sync.pull_wait('$device', '$cursor', '55 s')");
	ok(waits($name), "$name waits");
	return $session;
}

# One after the other, then many at once: a lost wake would cost a minute.
foreach (1 .. 10)
{
	paws_push($node, $phone, [ op_json('standard') ]);
	applied_soon() or last;
}
ok(applied_soon(), 'single pushes are applied soon');
my $load = start_load($node, 'postgres', 4, push_some($phone, 1) . push_some($stranger, 3, 'background'));
ok(until_sql($node, 'SELECT sum(operations) > 1000 FROM paws_sync.pg_stat_paws_sync_workers', seconds => 60), 'many at once');
end_load($load);
ok(applied_soon(), 'are applied soon, to the last one');
$node->safe_psql('postgres', "BEGIN; SAVEPOINT a; @{[push_some($phone, 1)]} RELEASE a; COMMIT");
ok(applied_soon(), 'one from a savepoint');
$node->safe_psql('postgres', "DO \$\$ BEGIN PERFORM paws_sync.push('$phone', '[@{[op_json('standard')]}]'); EXCEPTION WHEN division_by_zero THEN NULL; END \$\$");
ok(applied_soon(), 'one from a block with an exception handler');
$node->safe_psql('postgres', "DO \$\$ BEGIN PERFORM paws_sync.push('$phone', '[@{[op_json('standard')]}]'); COMMIT; PERFORM paws_sync.push('$phone', '[@{[op_json('standard')]}]'); ROLLBACK; END \$\$");
ok(applied_soon(), 'one from a procedure that commits');
$node->safe_psql('postgres', "SELECT count(*) FROM generate_series(1, 500), LATERAL (SELECT 1) x; @{[push_some($phone, 2500, 'background')]}");
ok(applied_soon(), 'more than a batch');

# Waiting clients.
my (undef, $cursor) = paws_pull($node, $tablet);
my (undef, $phone_cursor) = paws_pull($node, $phone);
my (undef, $stranger_cursor) = paws_pull($node, $stranger);
my $waiter = waiter_of('tablet', $tablet, $cursor);
my $author = waiter_of('phone', $phone, $phone_cursor);
my $other = waiter_of('stranger', $stranger, $stranger_cursor);
paws_push($node, $phone, [ op_json('standard', payload => 'news') ]);
ok(until_sql($node, "SELECT count(*) = 2 FROM pg_stat_activity WHERE application_name IN ('tablet', 'phone') AND state = 'idle'", seconds => $SOON), 'pull_wait returns soon after the commit');
is($waiter->query('SELECT 1'), "change news\n1", 'to the other device with the change');
is($author->query('SELECT 1'), "receipt -\n1", 'to the author with the receipt');
ok(waits('stranger'), 'a device of somebody else waits on');
(undef, $cursor) = paws_pull($node, $tablet, $cursor);
$waiter->quit;
$waiter = waiter_of('tablet', $tablet, $cursor);
paws_push($node, $phone, [ op_json('safety', payload => 'plan') ]);
ok(until_sql($node, "SELECT state = 'idle' FROM pg_stat_activity WHERE application_name = 'tablet'", seconds => $SOON), 'the crisis lane wakes as well');
is($waiter->query('SELECT 1'), "change plan\n1", 'with the change');
(undef, $cursor) = paws_pull($node, $tablet, $cursor);
(undef, $phone_cursor) = paws_pull($node, $phone, $phone_cursor);
$_->quit foreach $waiter, $author;

# Nothing is lost between the look and the sleep: whoever begins to wait while something commits gets it.
my $lost = 0;
$waiter = session($node);
$waiter->query_safe("SET application_name = 'racer'");
foreach my $n (1 .. 40)
{
	start_query($waiter, "SELECT \"cursor\" FROM paws_sync.pull_wait('$tablet', '$cursor', '55 s')");
	paws_push($node, $phone, [ op_json($n % 2 ? 'standard' : 'safety', payload => "race $n") ]);
	$lost++, last unless until_sql($node, "SELECT state = 'idle' FROM pg_stat_activity WHERE application_name = 'racer'", seconds => $SOON);
	($cursor) = split /\n/, $waiter->query('SELECT 1');
}
is($lost, 0, 'no wake is lost between look and sleep');
$waiter->quit;
ok(applied_soon(), 'all applied');
(undef, $cursor) = paws_pull($node, $tablet, $cursor);

# What is rolled back wakes nobody. There is nothing to poll for, so others that move would have had a second.
$waiter = waiter_of('tablet', $tablet, $cursor);
ok(until_sql($node, "SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'paws_sync pool' AND state = 'idle'"), 'the pool is idle');
my $before = last_moves();
$node->safe_psql('postgres', "BEGIN; @{[push_some($phone, 10)]} SELECT * FROM paws_sync.push('$phone', '[@{[op_json('safety')]}]'); ROLLBACK");
$node->safe_psql('postgres', "BEGIN; SAVEPOINT a; @{[push_some($phone, 10)]} ROLLBACK TO a; COMMIT");
$node->psql('postgres', "BEGIN; @{[push_some($phone, 10)]} SELECT 1 / 0; COMMIT");
$node->psql('postgres', "DO \$\$ BEGIN PERFORM paws_sync.push('$phone', '[@{[op_json('standard')]}]'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END \$\$");
error_like($node, "BEGIN;\n@{[push_some($phone, 1)]}PREPARE TRANSACTION 'two'", '0A000', undef, 'two-phase commit is refused, for nothing would wake anybody');
$node->safe_psql('postgres', 'SELECT pg_sleep(1)');
is(last_moves(), $before, 'what was rolled back woke no worker');
is($node->safe_psql('postgres', 'SELECT sum(depth) FROM paws_sync.pg_stat_paws_sync_lanes'), 0, 'and was not counted');
ok(waits('tablet'), 'nor did it wake a client');
paws_push($node, $phone, [ op_json('standard', payload => 'at last') ]);
is($waiter->query('SELECT 1'), "change at last\n1", 'the next commit does');
isnt(last_moves(), $before, 'by way of a worker');
ok(until_sql($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'stranger' AND wait_event_type = 'Extension'"), 'the stranger still waits');
$node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'stranger'");
$other->query('SELECT 1');
$_->quit foreach $waiter, $other;

# Not by NOTIFY: it is for alarms alone.
my @objects = sort glob("$ENV{TESTDIR}/src/*/*.o");
my @notifying = grep { (run_command([ 'nm', '--undefined-only', $_ ]))[0] =~ /Async_Notify/ } @objects;
cmp_ok(scalar @objects, '>', 100, 'the objects of the library are there');
is(join(' ', map { s{.*/src/}{}r } @notifying), 'control/alarm.o workers/signals.o', 'none but those of alarms use NOTIFY');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname LIKE 'paws%' AND prosrc ~* 'notify'"), 0, 'nor do functions');
is($node->safe_psql('postgres', 'SELECT pg_notification_queue_usage()'), 0, 'the notification queue is unused');

ok(depths_agree($node), 'depths agree with the table');
crash_free($node);
$node->stop;
done_testing();
