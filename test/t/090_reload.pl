# Settings that change by reload while there is work, and values that are refused.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('reload', 'paws_sync.pool_size' => 1);
new_subject($node, 'one', 'premium');
my $device = new_device($node, 'one');
my $load = start_load($node, 'postgres', 2, push_some($device, 10) . "\\sleep 5 ms\n");

# The pool grows and shrinks under load.
foreach my $size (4, 2, 6, 1)
{
	set_option($node, 'paws_sync.pool_size', $size);
	ok(has_workers($node, 'postgres', $size), "$size pool workers");
}
set_option($node, 'paws_sync.pool_size', 2);
foreach my $setting ([ 'batch_size', 1 ], [ 'batch_size', 1000 ], [ 'batch_time', "'1ms'" ], [ 'batch_time', "'20ms'" ],
	[ 'poll_interval', "'10ms'" ], [ 'guaranteed_share', 50 ], [ 'max_attempts', 1 ], [ 'housekeeping_interval', 1 ])
{
	my ($name, $value) = @$setting;
	my $done = $node->safe_psql('postgres', 'SELECT count(*) FROM paws_care.feed');

	set_option($node, "paws_sync.$name", $value);
	ok(until_sql($node, "SELECT count(*) > $done FROM paws_care.feed"), "work goes on with $name = $value");
}
end_load($load);
wait_applied($node);
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_care.feed WHERE outcome <> 5'), 0, 'nothing failed on the way');
is($node->safe_psql('postgres', 'SELECT count(*) = max(position) AND count(*) = count(DISTINCT op_id) FROM paws_care.feed'), 't', 'nothing lost, nothing twice');
ok(depths_agree($node), 'depths agree with the table');
ok(has_workers($node, 'postgres', 2), 'two pool workers again');
my @pids = worker_pids($node, 'pool');

# Reload after reload costs no worker.
$node->reload foreach 1 .. 20;
$node->safe_psql('postgres', push_some($device, 5));
wait_applied($node);
is(join(' ', worker_pids($node, 'pool')), "@pids", 'the workers are the same after many reloads');

# What calls look at.
set_option($node, 'paws_sync.max_operations_per_call', 3);
ok(until_sql($node, "SELECT current_setting('paws_sync.max_operations_per_call') = '3'"), 'a limit of calls');
error_like($node, push_some($device, 4), '54000', qr/"paws_sync.max_operations_per_call"/, 'is in force at once');
is($node->safe_psql('postgres', push_some($device, 3)), 3, 'and no more than said');
set_option($node, 'paws_sync.max_operations_per_call', 'DEFAULT');

# A tier that is raised holds at once, whatever was used up under the one before.
my $trial = new_device($node, 'trial');
ok(within(60, sub { $node->safe_psql('postgres', push_some($trial, 250)) < 250 }), 'a trial subject reaches its limit');
new_subject($node, 'trial', 'premium');
ok(within(10, sub { $node->safe_psql('postgres', push_some($trial, 1)) == 1 }), 'as premium it is served');
is($node->safe_psql('postgres', 'SELECT pg_sleep(1)') . $node->safe_psql('postgres', push_some($trial, 30)), 30, 'at the rate of premium');

# Bad values.
foreach my $bad ('postgres,,more', ',postgres', 'postgres,', 'two words', '"unclosed', 'a;b c')
{
	my $e = error_of($node, "ALTER SYSTEM SET paws_sync.databases = '$bad'");
	is("$e->{sqlstate} $e->{detail}", '22023 List syntax is invalid.', "a list of databases that is none is refused: $bad");
}
foreach my $good ('', ' ', 'postgres', ' postgres , "With Space" ', '"comma,inside"')
{
	is(error_of($node, "ALTER SYSTEM SET paws_sync.databases = '$good'")->{sqlstate}, '', "accepted: '$good'");
}
$node->safe_psql('postgres', "ALTER SYSTEM RESET paws_sync.databases");
error_like($node, 'ALTER SYSTEM SET paws_sync.pool_size = 0', '22023', undef, 'a pool of none');
error_like($node, 'ALTER SYSTEM SET paws_sync.pool_size = 33', '22023', undef, 'a pool of too many');
error_like($node, "ALTER SYSTEM SET paws_sync.batch_time = '21ms'", '22023', undef, 'batches that take too long');
error_like($node, 'ALTER SYSTEM SET paws_sync.nonsense = 1', '42704', undef, 'a setting that does not exist');
error_like($node, 'SET paws_sync.nonsense = 1', '42602', undef, 'not even for the session');
error_like($node, "SET paws_sync.$_ = DEFAULT", '55P02', undef, "$_ is not for sessions") foreach qw(pool_size databases care_root keyring_file root_command_timeout require_locked_memory max_databases);

# A bad value in the file: the reload keeps the old one and says so.
my $offset = -s $node->logfile;
$node->append_conf('postgresql.conf', "paws_sync.databases = 'postgres,,'");
$node->reload;
ok(within(60, sub { log_since($node, $offset) =~ /postmaster LOG: .*invalid value for parameter/ }), 'a bad list in the file is reported');
is($node->safe_psql('postgres', 'SHOW paws_sync.databases'), 'postgres', 'the old one stays in force');
$node->safe_psql('postgres', push_some($device, 5));
wait_applied($node);
is(join(' ', worker_pids($node, 'pool')), "@pids", 'and no worker minds');

# What only a start can change waits for it.
$node->append_conf('postgresql.conf', "paws_sync.databases = 'postgres'\npaws_sync.max_databases = 2");
$node->reload;
ok(until_sql($node, "SELECT pending_restart FROM pg_settings WHERE name = 'paws_sync.max_databases'"), 'max_databases waits for a restart');
restart_node($node);
is($node->safe_psql('postgres', 'SHOW paws_sync.max_databases'), 2, 'and has it');

# More databases than that.
$node->safe_psql('postgres', "CREATE DATABASE d$_") foreach 1 .. 2;
$node->safe_psql("d$_", 'SET client_min_messages = warning; CREATE EXTENSION paws_sync CASCADE') foreach 1 .. 2;
$node->safe_psql('d1', 'SELECT paws_sync.status()');
error_like($node, 'SELECT paws_sync.status()', '53400', qr/"paws_sync.max_databases"/, 'one database too many is told which setting to raise', database => 'd2');
$node->safe_psql('postgres', 'DROP DATABASE d1');
is(error_of($node, 'SELECT paws_sync.status()', database => 'd2')->{sqlstate}, '', 'it has a place once another database is gone');
$node->safe_psql('d2', 'DROP EXTENSION paws_sync');
$node->safe_psql('postgres', 'DROP DATABASE d2');

crash_free($node);
$node->stop;
done_testing();
