# doctor() on a server of its own: nothing is wrong with one that is set up well; then one thing after another is made
# wrong, and exactly that is said, with what to do about it.

use strict;
use warnings;

use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

# Processes inherit the limit of this one.
system('prlimit', "--pid=$$", '--core=0:') == 0 or die 'cannot set the limit of core files';

my $node = PawsNode->new_node(
	'doctor',
	'fsync' => 'on',
	'authentication_timeout' => '5s',
	'paws_sync.crisis_role' => 'postgres',
	'idle_in_transaction_session_timeout' => '1min',
	'track_activities' => 'off',
	'wal_level' => 'replica',
	'max_wal_senders' => '4');
my $device = new_device($node, 'somebody');

paws_push($node, $device, [ map { op_json($_) } qw(interactive safety) ]);
wait_applied($node);

sub wrong
{
	return join("\n", sort split /\n/, $node->safe_psql('postgres',
		"SELECT area || ': ' || check_name FROM paws_sync.doctor() WHERE NOT ok"));
}

sub hint
{
	my ($check) = @_;
	return $node->safe_psql('postgres', "SELECT hint FROM paws_sync.doctor() WHERE check_name = '$check'");
}

# Changes the server's settings, restarting it if asked to, and waits until they are in force.
sub set
{
	my ($restart, %setting) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET $_ = '$setting{$_}'") foreach sort keys %setting;
	apply($restart, map { [ $_, $setting{$_} ] } sort keys %setting);
	return;
}

sub unset
{
	my ($restart, @names) = @_;

	my %was = map { $_ => $node->safe_psql('postgres', "SELECT current_setting('$_')") } @names;
	$node->safe_psql('postgres', "ALTER SYSTEM RESET $_") foreach @names;
	if ($restart) { restart_node($node) }
	else
	{
		$node->reload;
		wait_for_sql($node, "$_ to be reset", "SELECT current_setting('$_') <> '$was{$_}'") foreach @names;
	}
	return;
}

sub apply
{
	my ($restart, @pairs) = @_;

	return restart_node($node) if $restart;
	$node->reload;
	wait_for_sql($node, "$_->[0] to be set", "SELECT current_setting('$_->[0]') = '$_->[1]'") foreach @pairs;
	return;
}

# data_checksums needs the server to be down
is(wrong(), 'durability: data_checksums', 'a server without checksums has that one fault');
like(hint('data_checksums'), qr/pg_checksums --enable/, 'and is told what to do');
$node->stop;
$node->command_ok([ 'pg_checksums', '--enable', '--no-sync', '-D', $node->data_dir ], 'checksums are switched on');
$node->start;
wait_workers($node);
wait_for_sql($node, 'the workers', "SELECT bool_and(ok) FROM paws_sync.doctor() WHERE area = 'status'");
is(wrong(), '', 'nothing is wrong with a server that is set up well');
is($node->safe_psql('postgres', "SELECT count(*) > 50, bool_and(hint IS NULL) FROM paws_sync.doctor()"), 't|t',
	'and there is no hint where nothing is wrong');

# Each line: what is set, what is wrong then, and what the hint says.
my @reloads = (
	[ { fsync => 'off' }, 'durability: fsync', qr/after a crash/ ],
	[ { full_page_writes => 'off' }, 'durability: full_page_writes', qr/torn pages/ ],
	[ { zero_damaged_pages => 'on' }, 'durability: zero_damaged_pages', qr/emptied/ ],
	[ { ignore_checksum_failure => 'on' }, 'durability: ignore_checksum_failure', qr/ignored/ ],
	[ { restart_after_crash => 'off' }, 'durability: restart_after_crash', qr/stays down/ ],
	[ { commit_delay => '100' }, 'latency: commit_delay', qr/commit waits/ ],
	[ { default_transaction_isolation => 'serializable' }, 'latency: default_transaction_isolation', qr/READ COMMITTED/ ],
	[ { authentication_timeout => '1min' }, 'latency: authentication_timeout', qr/connection slots/ ],
	[ { idle_in_transaction_session_timeout => '20min' }, 'latency: idle_in_transaction_session_timeout', qr/idles/ ],
	[ { track_activities => 'on' }, 'leaks: track_activities', qr/pg_stat_activity/ ],
	[ { 'paws_sync.device_expiry' => '3d' }, 'housekeeping: paws_sync.device_expiry', qr/offline window/ ],
	[ { 'paws_sync.databases' => 'postgres, nowhere' }, 'workers: listed databases that do not exist', qr/paws_sync.databases/ ]);

foreach my $line (@reloads)
{
	my ($setting, $said, $hint) = @$line;

	set(0, %$setting);
	is(wrong(), $said, "found: $said");
	like(hint($said =~ s/^\w+: //r), $hint, '… and what to do');
	unset(0, keys %$setting);
}

# The log: covered as long as it is silent, then each by itself.
set(0, 'log_statement' => 'all', 'log_lock_waits' => 'on');
is(wrong(), '', 'the silent log covers what would be logged');
set(0, 'paws_sync.log_scrub' => 'off');
like(wrong(), qr/^leaks: log_statement$/m, 'without it that is found');
like(wrong(), qr/^leaks: paws_sync.log_scrub$/m, 'and the silent log being off');
like(hint('paws_sync.log_scrub'), qr/set it to all/, '… and what to do');
$node->safe_psql('postgres', 'CREATE ROLE talker; ALTER ROLE talker SET log_duration = on; ALTER ROLE talker SET log_statement = \'mod\'');
like(wrong(), qr/^leaks: log_statement of role talker$/m, 'and what a role has set for itself');
like(hint('log_statement of role talker'), qr/ALTER ROLE/, '… and what to do');
$node->safe_psql('postgres', 'DROP ROLE talker');
unset(0, 'paws_sync.log_scrub', 'log_statement', 'log_lock_waits');
is(wrong(), '', 'all is well again');

# States: slots, standbys, locks, workers, the limit of core files.
$node->safe_psql('postgres', "SELECT pg_create_physical_replication_slot('left_behind', true)");
is(wrong(), 'latency: inactive replication slots', 'found: a slot that nobody reads');
like(hint('inactive replication slots'), qr/drop/, '… and what to do');
$node->safe_psql('postgres', "SELECT pg_drop_replication_slot('left_behind')");

# A client that writes much: by what it committed, and by what it is just writing.
sub floods
{
	my ($session, $what) = @_;
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	return sub {
		ok(until_sql($node, "SELECT NOT ok AND value LIKE '% by process $pid' FROM paws_sync.doctor() WHERE check_name = 'WAL of one client'"),
			"found: the client that $what");
		is(wrong(), 'crisis: WAL of one client', '… and nothing else');
		like(hint('WAL of one client'), qr/pg_terminate_backend/, '… and what to do');
		return $pid;
	};
}

is($node->safe_psql('postgres', "SELECT ok, wanted FROM paws_sync.doctor() WHERE check_name = 'WAL of one client'"),
	't|at most 32.0 MB a second (paws_sync.bulk_wal_rate)', 'nobody writes too much WAL');
set(0, 'paws_sync.bulk_wal_rate' => '128kB');
$node->safe_psql('postgres', 'CREATE TABLE flood (x text); ALTER TABLE flood ALTER x SET STORAGE EXTERNAL');
my $writer = session($node);
my $found = floods($writer, 'wrote much');
$writer->query_safe("INSERT INTO flood SELECT repeat('x', 4000) FROM generate_series(1, 4000)");
$found->();
$writer->quit;
ok(until_sql($node, "SELECT ok FROM paws_sync.doctor() WHERE check_name = 'WAL of one client'"), 'one that is gone is not blamed');
$writer = session($node);
$found = floods($writer, 'is writing much');
start_query($writer, "INSERT INTO flood SELECT repeat('x', 8000) FROM generate_series(1, 60000) WHERE pg_sleep(0.001) IS NOT NULL");
my $pid = $found->();
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 60000)");
eval { $writer->quit };
$node->safe_psql('postgres', 'DROP TABLE flood');
unset(0, 'paws_sync.bulk_wal_rate');
is(wrong(), '', 'all is well without it');

$node->safe_psql('postgres', "ALTER SYSTEM SET synchronous_standby_names = 'gone'");
$node->reload;
wait_for_sql($node, 'the standby to be missed', "SELECT current_setting('synchronous_standby_names') = 'gone'");
is(wrong(), 'durability: synchronous standby', 'found: a standby that every commit waits for');
like(hint('synchronous standby'), qr/synchronous_standby_names/, '… and what to do');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET synchronous_standby_names');
$node->reload;
wait_for_sql($node, 'the standby to be forgotten', "SELECT current_setting('synchronous_standby_names') = ''");

my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE paws_crisis.feed, paws_care.feed IN ACCESS EXCLUSIVE MODE');
is(wrong(), 'minimisation: tables that could not be looked at', 'a locked table does not hold it up');
is($node->safe_psql('postgres', "SELECT value FROM paws_sync.doctor() WHERE check_name ~ 'could not be looked at'"),
	'paws_crisis.feed, paws_care.feed', 'and is named');
$locker->query_safe('ROLLBACK');
$locker->quit;

pause_workers($node);
is(wrong(), 'status: workers', 'found: no workers');
like(hint('workers'), qr/not in paws_sync.databases/, '… and why');
resume_workers($node);
wait_for_sql($node, 'the workers', "SELECT bool_and(ok) FROM paws_sync.doctor() WHERE area = 'status'");

SKIP:
{
	my ($postmaster) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');

	skip 'the limit of core files cannot be raised', 2
	  if system("prlimit --pid=$postmaster --core=1000000: 2>/dev/null") != 0;
	is(wrong(), 'leaks: core file size', 'found: core files would be written');
	like(hint('core file size'), qr/LimitCORE=0/, '… and what to do');
	system("prlimit --pid=$postmaster --core=0:");
}

# What only a start can set: all at once, since each costs one.
set(1, 'max_worker_processes' => '14', 'track_commit_timestamp' => 'on', 'wal_level' => 'minimal', 'max_wal_senders' => '0',
	'track_activity_query_size' => '4kB', 'listen_addresses' => '127.0.0.1', 'paws_sync.max_databases' => '1',
	'paws_sync.databases' => 'postgres,template1');
wait_for_sql($node, 'the workers', "SELECT bool_and(ok) FROM paws_sync.doctor() WHERE area = 'status'");
is(wrong(), join("\n", 'durability: wal_level', 'leaks: track_activity_query_size', 'minimisation: track_commit_timestamp',
		'network: ssl', 'workers: listed databases', 'workers: max_worker_processes'), 'found: what a start has set');
like(hint('ssl'), qr/hostssl/, '… and what to do about the network');
like(hint('max_worker_processes'), qr/paws_sync needs 13/, '… about processes');
like(hint('track_commit_timestamp'), qr/exact time/, '… about times');
like(hint('wal_level'), qr/replica/, '… about the WAL');
unset(1, 'max_worker_processes', 'track_commit_timestamp', 'wal_level', 'max_wal_senders', 'track_activity_query_size',
	'listen_addresses', 'paws_sync.max_databases', 'paws_sync.databases');
wait_for_sql($node, 'the workers', "SELECT bool_and(ok) FROM paws_sync.doctor() WHERE area = 'status'");
is(wrong(), '', 'all is well again');

# Other libraries: one that keeps texts, in the place from which it sees more than we do.
$node->safe_psql('postgres', 'ALTER SYSTEM SET shared_preload_libraries = paws_sync, pg_stat_statements');
restart_node($node);
wait_for_sql($node, 'the workers', "SELECT bool_and(ok) FROM paws_sync.doctor() WHERE area = 'status'");
is(wrong(), join("\n", map { "leaks: $_" } 'pg_stat_statements', 'pg_stat_statements.track_utility', 'shared_preload_libraries'),
	'found: a library behind ours, which keeps texts');
like(hint('shared_preload_libraries'), qr/paws_sync last/, '… and what to do');
like(hint('pg_stat_statements'), qr/track_utility/, '… about its file');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET shared_preload_libraries');

# Without keys it still answers, and says whose are missing.
my $keys = $node->basedir . '/keys';

foreach my $root (qw(billing crisis care))
{
	$node->stop;
	rename("$keys/$root.root", "$keys/$root.away") or die "cannot move the root: $!";
	$node->start;
	like(wrong(), qr/^status: keys $root$/m, "found: no keys of $root");
	like(hint("keys $root"), qr/\w/, '… and why');
	is($node->safe_psql('postgres', "SELECT count(*) > 50 FROM paws_sync.doctor()"), 't', 'and everything else');
}

$node->stop;
done_testing();
