# Databases that come, go, change their name or are copied while workers are connected to them.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('database',
	'paws_sync.databases' => 'postgres, served, later, "Mixed Case"', 'paws_sync.max_databases' => 5);

sub add_extension
{
	my ($database) = @_;

	$node->safe_psql($database,
		"SET client_min_messages = warning; CREATE EXTENSION paws_sync CASCADE; SELECT paws_sync.define_collection('standard', 'standard')");
	return;
}

# One more operation goes all the way in a database.
sub serves
{
	my ($database, $name) = @_;
	my $device = new_device($node, 'somebody', 'server', $database);

	$node->safe_psql($database, push_some($device, 3));
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(until_sql($node, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)', database => $database), $name);
}

# Statements that have to be first in their transaction, bounded in time.
sub succeeds
{
	my ($sql, $name) = @_;
	my $e = error_of($node, "SET statement_timeout = '30s';\n$sql");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is("$e->{sqlstate} $e->{message}", ' ', $name);
}

# A database that is created after the start, in the list from the beginning.
$node->safe_psql('postgres', 'CREATE DATABASE served');
ok(until_sql($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'served' AND backend_type = 'paws_sync scheduler'"),
	'a database created later has a scheduler');
add_extension('served');
ok(has_workers($node, 'served', 2), 'and a pool once it has the extension');
serves('served', 'work is done there');
serves('postgres', 'and in the other one');

# Copies, with workers in the source, right after work.
my $device = new_device($node, 'copied', 'ios', 'served');
foreach my $n (1 .. 3)
{
	$node->safe_psql('served', push_some($device, 200, 'standard'));
	succeeds("CREATE DATABASE copy$n TEMPLATE served" . ($n == 2 ? ' STRATEGY file_copy' : ''), "copy $n of a served database");
}
ok(has_workers($node, 'served', 2), 'the workers of the source are back');
serves('served', 'and work');
is($node->safe_psql('copy1', "SELECT count(*) FROM paws_sync.devices(paws_sync.subject_for('copied'))"), 1, 'the copy knows the device');
my $waiting = $node->safe_psql('copy1', 'SELECT count(*) FROM paws_queue.operation');
my $before = $node->safe_psql('copy1', 'SELECT count(*) FROM paws_care.feed WHERE outcome = 1');
set_option($node, 'paws_sync.databases', q{'postgres, served, later, "Mixed Case", copy1'});
ok(has_workers($node, 'copy1', 2), 'a copy that is listed by a reload has workers');
ok(until_sql($node, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)', database => 'copy1'), "the copy applies the $waiting that it took along");
serves('copy1', 'and what is new');
is($node->safe_psql('copy1', 'SELECT count(DISTINCT op_id) = count(*) FROM paws_care.feed'), 't', 'each once');
set_option($node, 'paws_sync.databases', q{'postgres, served, later, "Mixed Case"'});
ok(has_workers($node, 'copy1', 0), 'taken off the list it has none');
succeeds("DROP DATABASE copy$_", "copy $_ is dropped") foreach 1 .. 3;

# Renaming.
succeeds('ALTER DATABASE served RENAME TO "Mixed Case"', 'a served database is renamed');
ok(has_workers($node, 'Mixed Case', 2), 'under its new name it is served, as that is listed');
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_sync.pg_stat_paws_sync_workers WHERE database = 'served'"), 0, 'and not under the old one');
serves('Mixed Case', 'it works');
succeeds('ALTER DATABASE "Mixed Case" RENAME TO unlisted', 'renamed to a name that is not listed');
ok(until_sql($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'unlisted'"), 'nobody serves it');
is($node->safe_psql('unlisted', "SELECT detail FROM paws_sync.status() WHERE component = 'workers'"),
	'this database is not in paws_sync.databases', 'as status() says');
succeeds('ALTER DATABASE unlisted RENAME TO served', 'and back');
ok(has_workers($node, 'served', 2), 'served again');

# Other commands that want it for themselves, or want nobody in it.
succeeds('ALTER DATABASE served CONNECTION LIMIT 10', 'another ALTER DATABASE');
ok(has_workers($node, 'served', 2), 'leaves workers there');
succeeds('ALTER DATABASE served ALLOW_CONNECTIONS false', 'a database closed to connections');
ok(has_workers($node, 'served', 0), 'is left by its workers');
succeeds('ALTER DATABASE served ALLOW_CONNECTIONS true', 'opened again');
ok(has_workers($node, 'served', 2), 'it is served again');

# Commands that fail, since a client is connected: the workers come back. The server tries for 5 s.
my $client = session($node, 'served');
my @pids = sort split /\n/, $node->safe_psql('postgres', "SELECT pid FROM paws_sync.pg_stat_paws_sync_workers WHERE database = 'served'");
my $copying = session($node);
my $e = error_of($node, 'DROP DATABASE served');
is($e->{sqlstate}, '55006', 'DROP DATABASE fails while a client is connected');
ok(has_workers($node, 'served', 2), 'then the workers are back');
start_query($copying, "SET statement_timeout = '300ms'; CREATE DATABASE copy TEMPLATE served");
like($copying->query('RESET statement_timeout; SELECT 1') . $copying->{stderr}, qr/canceling statement due to statement timeout/, 'a cancelled one');
ok(has_workers($node, 'served', 2), 'gives them back too');
$copying->{stderr} = '';
my $pid = $copying->query_safe('SELECT pg_backend_pid()');
start_query($copying, 'ALTER DATABASE served RENAME TO gone');
ok(until_sql($node, "SELECT count(*) = 0 FROM paws_sync.pg_stat_paws_sync_workers WHERE database = 'served'"), 'the workers left for a command');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
ok(has_workers($node, 'served', 2), 'whose session is terminated: they come back');
eval { $copying->quit };
is($client->query_safe("SELECT count(*) FROM paws_sync.devices(paws_sync.subject_for('copied'))"), 1, 'the client never noticed');

# Who may not drop a database cannot make its workers leave.
$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN; CREATE ROLE maker LOGIN CREATEDB');
@pids = sort split /\n/, $node->safe_psql('postgres', "SELECT pid FROM paws_sync.pg_stat_paws_sync_workers WHERE database = 'served'");
error_like($node, 'DROP DATABASE served', '42501', undef, 'not everybody may drop it', user => 'nobody');
error_like($node, 'ALTER DATABASE served RENAME TO mine', '42501', undef, 'or rename it', user => 'nobody');
error_like($node, 'CREATE DATABASE mine TEMPLATE served', '42501', undef, 'or copy it', user => 'nobody');
error_like($node, 'CREATE DATABASE mine TEMPLATE served', '42501', undef, 'without a right to the template either', user => 'maker');
ok(has_workers($node, 'served', 2), 'there are workers after that');
is(join(' ', sort split /\n/, $node->safe_psql('postgres', "SELECT pid FROM paws_sync.pg_stat_paws_sync_workers WHERE database = 'served'")),
	join(' ', @pids), 'the same ones');
error_like($node, "BEGIN;\nDROP DATABASE served;\nROLLBACK", '25001', undef, 'not in a transaction block');
is(join(' ', sort split /\n/, $node->safe_psql('postgres', "SELECT pid FROM paws_sync.pg_stat_paws_sync_workers WHERE database = 'served'")),
	join(' ', @pids), 'which costs no worker either');
$client->quit;

# What has nothing to do with us is not held up: every process answers the barrier, whatever it waits for.
set_option($node, 'paws_sync.max_wait_with_snapshot', "'60s'");
my $here = new_device($node, 'waiting');
my $waiter = session($node);
start_query($waiter, "SELECT count(*) FROM paws_sync.pull_wait('$here', NULL, '40 s')");
ok(until_sql($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) FROM paws_sync.pull_wait%' AND wait_event_type = 'Extension'"), 'a client waits');
$node->safe_psql('postgres', 'CREATE DATABASE unrelated');
succeeds('DROP DATABASE unrelated', 'an unrelated database is dropped meanwhile');
$node->safe_psql('postgres', push_some(new_device($node, 'waiting', 'web'), 1));
is($waiter->query('SELECT 2'), "1\n2", 'and the client got what it waited for');
$waiter->quit;

# Dropped under load, and made again.
new_subject($node, 'copied', 'premium', 'served');
my $load = start_load($node, 'served', 3, push_some($device, 20));
ok(until_sql($node, "SELECT sum(operations) > 100 FROM paws_sync.pg_stat_paws_sync_workers WHERE database = 'served'"), 'busy');
succeeds('DROP DATABASE served WITH (FORCE)', 'DROP DATABASE WITH (FORCE) under load');
end_load($load);
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind <> 'launcher' AND database IS DISTINCT FROM 'postgres'"), 0, 'no worker is left of it');
foreach (1 .. 7)
{
	$node->safe_psql('postgres', 'CREATE DATABASE served');
	add_extension('served');
	$node->safe_psql('served', 'SELECT paws_sync.status()');
	last if $_ == 7;
	succeeds('DROP DATABASE served', "made and dropped again ($_), which takes no place in shared memory");
}
ok(has_workers($node, 'served', 2), 'the last one is served');
is($node->safe_psql('served', 'SELECT sum(depth) FROM paws_sync.pg_stat_paws_sync_lanes'), 0, 'its depths start at 0');
serves('served', 'and it works');

# The list.
set_option($node, 'paws_sync.databases', "'served'");
ok(has_workers($node, 'postgres', 0), 'a database taken off the list loses its workers');
serves('served', 'the other one keeps them');
my $off = new_device($node, 'off');
is($node->safe_psql('postgres', push_some($off, 4)), 4, 'pushes are accepted without workers');
set_option($node, 'paws_sync.databases', q{'later, postgres, served, "not there"'});
ok(has_workers($node, 'postgres', 2), 'put on it again it has some');
wait_applied($node);
pass('which do what waited');
$node->safe_psql('postgres', 'CREATE DATABASE later');
add_extension('later');
ok(has_workers($node, 'later', 2), 'a name that was listed first and created then');
serves('later', 'is served');

crash_free($node);
$node->stop;
done_testing();
