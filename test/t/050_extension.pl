# DROP EXTENSION while pushes and workers run, CREATE EXTENSION again, and either of them rolled back: found
# without a restart, and nothing that a process has cached does harm.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('extension', 'log_line_prefix' => '%m [%p] %b %e ', 'deadlock_timeout' => '200ms');

sub define_again
{
	$node->safe_psql('postgres',
		join(';', map { "SELECT paws_sync.define_collection('$_', '$_', 'server_order')" } qw(standard background safety)));
	return;
}

sub no_schema_left
{
	return $node->safe_psql('postgres', "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'paws%'");
}

# Deadlocks with what runs are the server's to solve; DROP is tried again as a DBA would.
sub drop_extension
{
	my $e;

	foreach (1 .. 20)
	{
		$e = error_of($node, 'DROP EXTENSION paws_sync');
		last if $e->{sqlstate} ne '40P01';
	}
	return $e->{sqlstate} eq '' ? '' : "$e->{sqlstate} $e->{message}";
}

sub push_one_in
{
	my ($session, $device, $collection) = @_;
	my $json = op_json($collection);

	return $session->query("SELECT outcome FROM paws_sync.push('$device', '[$json]')");
}

new_subject($node, 'one', 'premium');
my $device = new_device($node, 'one');
my $other = new_device($node, 'one', 'web');

# An open session with everything cached: plans, enum and type oids, collections, policy, data keys.
my $old = session($node);
$old->query_safe("PREPARE pushing (text, text) AS SELECT outcome::text FROM paws_sync.push(\$1::paws_sync.device, \$2::jsonb)");
$old->query_safe("PREPARE pulling (text) AS SELECT kind FROM paws_sync.pull(\$1::paws_sync.device)");
is(push_one_in($old, $device, 'standard'), 'accepted', 'a session pushes');
push_one_in($old, $device, 'safety');
$old->query_safe("EXECUTE pushing ('$device', '[" . op_json('standard') . "]')") for 1 .. 6;
$old->query_safe("EXECUTE pulling ('$other')") for 1 .. 6;
$old->query_safe('SELECT * FROM paws_sync.status(); SELECT * FROM paws_sync.pg_stat_paws_sync_lanes');

# Under load.
my $offset = -s $node->logfile;
my $load = start_load($node, 'postgres', 4, "\\set n random(1, 5)\n"
	  . push_some($device, 20) . push_some($device, 1, 'safety')
	  . "SELECT count(*) FROM paws_sync.pull('$other', NULL, 100);\n"
	  . "SELECT count(*) FROM paws_sync.pull_wait('$other', NULL, '10 ms', 1);\n");
ok(until_sql($node, 'SELECT sum(operations) > 300 FROM paws_sync.pg_stat_paws_sync_workers'), 'workers are busy');
is(drop_extension(), '', 'DROP EXTENSION succeeds while pushes and workers run');
end_load($load);
is(no_schema_left(), 0, 'nothing is left');
my %harmless = map { $_ => 1 } qw(40P01 3F000 42883 42P01 42704 55000 57014 08006);
my @odd = grep { / ([0-9A-Z]{5}) (ERROR|FATAL|PANIC): / && !$harmless{$1} } split /\n/, log_since($node, $offset);
is(join("\n", @odd), '', 'whoever was in its way got an error that tells what is gone');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.backend_type LIKE 'paws_sync%' AND l.locktype IN ('object', 'relation') AND a.state = 'idle'"),
	0, 'idle workers hold no locks');
ok(until_sql($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'paws_sync pool'"), 'the pool leaves');
like(push_one_in($old, $device, 'standard') . $old->{stderr}, qr/does not exist/, 'the open session is told so');
$old->{stderr} = '';

# Again, with the old session still open.
$node->safe_psql('postgres', 'CREATE EXTENSION paws_sync');
ok(has_workers($node, 'postgres', 2), 'created again, it is found without a restart');
define_again();
is(depth_total($node), 0, 'depths start at 0');
$old->query("SELECT * FROM paws_sync.push('$device', '[]')");
like($old->{stderr}, qr/device is not registered/, 'devices of the extension before are unknown');
$old->{stderr} = '';
$old->query("EXECUTE pushing ('$device', '[" . op_json('standard') . "]')");
like($old->{stderr}, qr/device is not registered/, 'by a prepared statement as well');
$old->{stderr} = '';

new_subject($node, 'one', 'premium');
my $fresh = $old->query_safe("SELECT paws_sync.register_device(paws_sync.subject_for('one'), 'ios')");
my $fresh_other = new_device($node, 'one', 'web');
is(push_one_in($old, $fresh, 'standard'), 'accepted', 'the old session pushes to the new extension');
is(push_one_in($old, $fresh, 'safety'), 'accepted', 'in the crisis lane too');
is($old->query("EXECUTE pushing ('$fresh', '[" . op_json('standard') . "]')"), 'accepted', 'its prepared statements work on');
is($old->{stderr}, '', 'without an error');
wait_applied($node);
my ($rows) = paws_pull($node, $fresh_other);
is(scalar @$rows, 3, 'all of it arrives');
is($old->query("EXECUTE pulling ('$fresh_other')"), "change\nchange\nchange", 'in the old session too');
ok(depths_agree($node), 'depths agree with the table');

# What waited is gone with the extension.
set_option($node, 'paws_sync.databases', "''");
ok(has_workers($node, 'postgres', 0), 'workers off');
is($node->safe_psql('postgres', push_some($fresh, 300)), 300, 'a backlog');
is(depth_total($node), 300, 'is counted');
is(drop_extension(), '', 'dropped with a backlog');
$node->safe_psql('postgres', 'CREATE EXTENSION paws_sync');
is(depth_total($node), 0, 'the next one starts at 0 before any worker looks');
set_option($node, 'paws_sync.databases', "'postgres'");
ok(has_workers($node, 'postgres', 2), 'workers on');
is(depth_total($node), 0, 'and at 0 after they did');

# Dropped and created in one transaction, used, and rolled back: the old one is as it was.
define_again();
new_subject($node, 'two', 'premium');
my $two = new_device($node, 'two');
my $two_other = new_device($node, 'two', 'web');
is(push_one_in($old, $two, 'standard'), 'accepted', 'something before');
wait_applied($node);
set_option($node, 'paws_sync.databases', "''");
ok(has_workers($node, 'postgres', 0), 'workers off');
is($node->safe_psql('postgres', push_some($two, 50)), 50, 'something waits');
$old->query_safe('BEGIN; DROP EXTENSION paws_sync; CREATE EXTENSION paws_sync');
$old->query_safe("SELECT paws_sync.define_collection('standard', 'standard')");
my $inner = $old->query_safe("SELECT paws_sync.register_device(paws_sync.subject_for('two'), 'ios')");
is($old->query_safe(push_some($inner, 7)), 7, 'the new one works in the transaction that made it');
is($old->query_safe("SELECT sum(depth) FROM paws_sync.pg_stat_paws_sync_lanes"), 0, 'nothing of it is counted yet');
$old->query_safe('ROLLBACK');
is($old->{stderr}, '', 'no error on the way');
is($old->query("SELECT outcome FROM paws_sync.push('$two', '[" . op_json('standard') . "]')"), 'accepted', 'then it is the old one again');
is(depth_rows($node), 51, 'with what waited');
set_option($node, 'paws_sync.databases', "'postgres'");
ok(has_workers($node, 'postgres', 2), 'workers on');
ok(until_sql($node, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)'), 'which is applied');
ok(until_sql($node, 'SELECT sum(depth) = 0 FROM paws_sync.pg_stat_paws_sync_lanes'), 'and depths are right');
($rows) = paws_pull($node, $two_other);
is(scalar @$rows, 52, 'once each');

# The same with workers running, which wait for the lock meanwhile.
$old->query_safe('BEGIN; DROP EXTENSION paws_sync; CREATE EXTENSION paws_sync; SELECT paws_sync.subject_for(\'two\')');
$old->query_safe("SELECT paws_sync.define_collection('standard', 'standard'); SELECT paws_sync.status(); ROLLBACK");
ok(has_workers($node, 'postgres', 2), 'workers are back after a rolled back exchange');
is($node->safe_psql('postgres', push_some($two, 20)), 20, 'more work');
ok(until_sql($node, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)'), 'is done');
ok(until_sql($node, 'SELECT sum(depth) = 0 FROM paws_sync.pg_stat_paws_sync_lanes'), 'and counted');

# CREATE EXTENSION rolled back.
is(drop_extension(), '', 'dropped');
$old->query_safe("BEGIN; CREATE EXTENSION paws_sync; SELECT paws_sync.define_collection('standard', 'standard')");
$inner = $old->query_safe("SELECT paws_sync.register_device(paws_sync.subject_for('two'), 'ios')");
is($old->query_safe(push_some($inner, 3)), 3, 'used before the commit');
$old->query_safe('ROLLBACK');
is(no_schema_left(), 0, 'rolled back, nothing is there');
like($old->query("SELECT paws_sync.status()") . $old->{stderr}, qr/does not exist/, 'not for the session either');
$node->safe_psql('postgres', 'CREATE EXTENSION paws_sync');
define_again();
ok(has_workers($node, 'postgres', 2), 'created for good it has workers');
is(depth_total($node), 0, 'depths at 0');
$device = new_device($node, 'three');
is($node->safe_psql('postgres', push_some($device, 5)), 5, 'and works');
wait_applied($node);

$old->quit;
unlike(log_since($node, $offset), qr/ PW003 |XX00[0-9]/, 'no key, cache or plan of an earlier one was used');
crash_free($node);
$node->stop;
done_testing();
