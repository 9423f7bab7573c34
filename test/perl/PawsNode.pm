# A throw-away server with paws_sync for TAP tests, and what several of them need.
#
#   my $node = PawsNode->new_node('name', 'paws_sync.pool_size' => 1);
#
# is a started PostgreSQL::Test::Cluster with the extension, the collections below and workers in database
# "postgres". Settings given win over those of this module. The functions are exported.

package PawsNode;

use strict;
use warnings;

use Exporter 'import';
use File::Basename;
use File::Copy;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# Freed memory is overwritten, so that whoever still reads it is found out.
$ENV{MALLOC_PERTURB_} //= 165;

our @EXPORT = qw(
  new_uuid new_subject new_device op_json paws_push paws_pull wait_for_sql wait_applied wait_workers
  depth_total depth_rows depths_agree worker_pids restart_node seed_random write_root copy_keyring
  start_psql hold_subjects release_subjects pause_workers resume_workers kill_postmaster crash_by
);

# One collection of each class: the name of the class, and what a stale change does.
our %COLLECTION = (
	emergency => 'server_order',
	safety => 'server_order',
	control => 'server_order',
	session => 'server_order',
	interactive => 'server_order',
	standard => 'server_order',
	bulk => 'branch',
	background => 'server_order');

# Settings of every node; small intervals, so that what is waited for comes soon. No canary: it has rows and transactions of
# its own, which tests that count would find.
my %SETTINGS = (
	'shared_preload_libraries' => 'paws_sync',
	'paws_sync.databases' => 'postgres',
	'paws_sync.pool_size' => 2,
	'paws_sync.poll_interval' => '100ms',
	'paws_sync.housekeeping_interval' => '1s',
	'paws_sync.canary_interval' => 0,
	'max_worker_processes' => 24,
	'max_connections' => 60,
	'fsync' => 'off',
	'autovacuum_naptime' => '5s',
	'restart_after_crash' => 'on',
	'log_line_prefix' => '%m [%p] %b ',
	'log_statement' => 'none');

# Starts a node; %conf are settings by name. Roots and keyring are in a folder "keys" beside the data directory.
# Option "-no_extension" => 1 leaves the database bare; "-keys_of" => $node takes copies of another one's keys;
# "-install_path" => $folder runs another server.
sub new_node
{
	my ($class, $name, %conf) = @_;
	my $bare = delete $conf{-no_extension};
	my $source = delete $conf{-keys_of};
	my $path = delete $conf{-install_path};
	my $node = PostgreSQL::Test::Cluster->new($name, $path ? (install_path => $path) : ());
	my $keys = $node->basedir . '/keys';

	$node->init(auth_extra => []);
	mkdir $keys, 0700 or die "$keys: $!";
	foreach my $root (qw(care crisis billing))
	{
		write_root("$keys/$root.root") if !$source;
		$conf{"paws_sync.${root}_root"} //= "file:$keys/$root.root";
	}
	copy_keys($source, $keys) if $source;
	$conf{'paws_sync.keyring_file'} //= "$keys/keyring";
	my %all = (%SETTINGS, %conf);
	$node->append_conf('postgresql.conf', join('', map { "$_ = '$all{$_}'\n" } sort keys %all));
	$node->start;
	return $node if $bare;
	create_extension($node);
	return $node;
}

# A root with a random key under id 1.
sub write_root
{
	my ($path) = @_;
	my $mask = umask 0077;

	open(my $file, '>', $path) or die "$path: $!";
	print $file '1 ', join('', map { sprintf '%02x', int(rand(256)) } 1 .. 32), "\n";
	close $file;
	umask $mask;
	return;
}

sub copy_keys
{
	my ($source, $keys) = @_;

	foreach my $file (glob($source->basedir . '/keys/*'))
	{
		my $copy = "$keys/" . basename($file);

		copy($file, $copy) or die "$file: $!";
		chmod 0600, $copy;
	}
	return;
}

# A dump is read under the keyring as it was then, or later: brings what the source has into the place of the target's.
sub copy_keyring
{
	my ($source, $target) = @_;
	my ($from, $to) = map { $_->basedir . '/keys/keyring' } $source, $target;

	copy($from, "$to.copy") or die "$from: $!";
	chmod 0600, "$to.copy";
	rename "$to.copy", $to or die "$to: $!";
	return;
}

# The extension and one collection of each class in a database, and its workers up.
sub create_extension
{
	my ($node, $database) = @_;

	$database //= 'postgres';
	$node->safe_psql($database, 'SET client_min_messages = warning; CREATE EXTENSION paws_sync CASCADE');
	$node->safe_psql($database,
		join(';', map { "SELECT paws_sync.define_collection('$_', '$_', '$COLLECTION{$_}')" } sort keys %COLLECTION));
	wait_workers($node, $database);
	return;
}

# A random version 4 uuid; follows srand.
sub new_uuid
{
	my @b = map { int(rand(256)) } 1 .. 16;

	$b[6] = ($b[6] & 0x0f) | 0x40;
	$b[8] = ($b[8] & 0x3f) | 0x80;
	return sprintf '%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x', @b;
}

# The subject of a reference, with a tier if one is given.
sub new_subject
{
	my ($node, $ref, $tier, $database) = @_;

	$database //= 'postgres';
	my $subject = $node->safe_psql($database, "SELECT paws_sync.subject_for('$ref')");
	$node->safe_psql($database, "SELECT paws_sync.set_entitlement('$subject', '$tier')") if $tier;
	return $subject;
}

# A new device of the subject of a reference.
sub new_device
{
	my ($node, $ref, $platform, $database) = @_;

	$platform //= 'ios';
	$database //= 'postgres';
	return $node->safe_psql($database,
		"SELECT paws_sync.register_device(paws_sync.subject_for('$ref'), '$platform')");
}

# One operation as JSON text: collection, and optionally doc_id, base_revision, payload (text), op_id, deleted.
sub op_json
{
	my ($collection, %o) = @_;
	my $payload = $o{payload} // 'hello';
	my %field = (
		op_id => $o{op_id} // new_uuid(),
		doc_id => $o{doc_id} // new_uuid(),
		collection => $collection);
	my $json = join(', ', map { "\"$_\": \"$field{$_}\"" } sort keys %field);

	$json .= ', "base_revision": ' . ($o{base_revision} // 0);
	$json .= $o{deleted} ? ', "deleted": true' : ', "payload": "' . base64($payload) . '"';
	return "{$json}";
}

sub base64
{
	my ($text) = @_;
	my $coded = pack('u', $text);

	$coded =~ s/^.//mg;
	$coded =~ s/\n//g;
	$coded =~ tr|` -_|AA-Za-z0-9+/|;
	my $pad = (3 - length($text) % 3) % 3;
	substr($coded, -$pad) = '=' x $pad if $pad;
	return $coded;
}

# Pushes operations (JSON texts) and returns one hash for each: op_id, outcome, revision, level, code, receipt.
sub paws_push
{
	my ($node, $device, $operations, $database) = @_;
	my $json = '[' . join(', ', @$operations) . ']';
	my $rows = $node->safe_psql($database // 'postgres',
		"SELECT op_id, outcome, revision, level, code, receipt FROM paws_sync.push('$device', '$json') ORDER BY item");

	return rows_of($rows, qw(op_id outcome revision level code receipt));
}

# Everything a device has not seen since its cursor (undef: from the beginning). Returns the rows as hashes and
# the cursor after them.
sub paws_pull
{
	my ($node, $device, $cursor, $database) = @_;
	my @all;

	while (1)
	{
		my $from = defined $cursor ? "'$cursor'" : 'NULL';
		my $text = $node->safe_psql($database // 'postgres', <<"SQL");
SELECT "cursor", lane, kind, collection, doc_id, revision, deleted, CASE kind WHEN 'change' THEN convert_from(payload, 'UTF8') END, op_id, outcome, code
FROM paws_sync.pull('$device', $from)
SQL
		my @rows = rows_of($text,
			qw(cursor lane kind collection doc_id revision deleted payload op_id outcome code));
		last unless @rows;
		$cursor = $rows[-1]{cursor};
		push @all, @rows;
	}
	return (\@all, $cursor);
}

# Lines of unaligned output as hashes.
sub rows_of
{
	my ($text, @names) = @_;
	my @rows;

	foreach my $line (split /\n/, $text)
	{
		my %row;
		@row{@names} = split /\|/, $line, -1;
		push @rows, \%row;
	}
	return @rows;
}

# Polls until a query answers t; also while the server comes back from a crash. Dies after the usual timeout
# of tests, saying what was waited for and what the query named $look last answered.
sub wait_for_sql
{
	my ($node, $what, $query, $look) = @_;
	my $attempts = 20 * $PostgreSQL::Test::Utils::timeout_default;

	for (1 .. $attempts)
	{
		my ($status, $out) = quiet_psql($node, $query);
		return 1 if $status == 0 && $out eq 't';
		usleep(50_000);
	}
	my ($status, $out) = quiet_psql($node, $look // $query);
	die "waited in vain: $what; last seen: $out";
}

# psql whose failure is an answer: status, standard output, error output.
sub quiet_psql
{
	my ($node, $query, $database) = @_;
	my ($out, $err) = ('', '');
	# a server that is just coming up may close the pipe before it is written
	local $SIG{PIPE} = 'IGNORE';
	my $status = eval { $node->psql($database // 'postgres', $query, stdout => \$out, stderr => \$err) } // 3;

	return ($status, $out, $err);
}

# Until nothing waits in the ordinary queue (or nothing that the given condition on paws_queue.operation names).
sub wait_applied
{
	my ($node, $condition) = @_;

	$condition //= 'true';
	return wait_for_sql($node, 'an empty queue',
		"SELECT NOT EXISTS (SELECT FROM paws_queue.operation WHERE $condition)",
		'SELECT count(*), max(attempts), min(enqueued_at) FROM paws_queue.operation');
}

# Until the scheduler and as many pool workers as set are there.
sub wait_workers
{
	my ($node, $database) = @_;

	$database //= 'postgres';
	return wait_for_sql($node, 'scheduler and pool',
		"SELECT count(*) FILTER (WHERE kind = 'scheduler') = 1 AND "
		  . "count(*) FILTER (WHERE kind = 'pool') = current_setting('paws_sync.pool_size')::int "
		  . "FROM paws_sync.pg_stat_paws_sync_workers WHERE database = '$database' AND pid IS NOT NULL",
		'SELECT string_agg(kind || \' \' || state, \', \') FROM paws_sync.pg_stat_paws_sync_workers')
	  if $database eq 'postgres';
	return 1;
}

# Does what kills a server process, and waits until the server and its workers are back: whoever asks at once may still be
# answered by the server that has not noticed.
sub crash_by
{
	my ($node, $cause) = @_;
	my $writer = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'");

	$cause->();
	wait_for_sql($node, 'the server to notice a crash', "SELECT pid <> $writer FROM pg_stat_activity WHERE backend_type = 'walwriter'");
	return wait_workers($node);
}

# What the counters in shared memory say, and what is in the table.
sub depth_total
{
	my ($node) = @_;
	return $node->safe_psql('postgres',
		"SELECT coalesce(sum(depth), 0) FROM paws_sync.pg_stat_paws_sync_lanes WHERE lane = 'ordinary'");
}

sub depth_rows
{
	my ($node) = @_;
	return $node->safe_psql('postgres', 'SELECT count(*) FROM paws_queue.operation');
}

# True if, level by level, the counters say what is in the table; only meaningful while nothing moves.
sub depths_agree
{
	my ($node) = @_;
	my $query = <<'SQL';
SELECT l.level_number || ': ' || l.depth || ' counted, ' || count(o.id) || ' there'
FROM paws_sync.pg_stat_paws_sync_lanes l LEFT JOIN paws_queue.operation o ON o.level = l.level_number
WHERE l.lane = 'ordinary' GROUP BY l.level_number, l.depth HAVING l.depth <> count(o.id) ORDER BY l.level_number
SQL
	my $difference = $node->safe_psql('postgres', $query);

	diag("depths differ: $difference") if $difference ne '';
	return $difference eq '';
}

# Process ids of the workers of a kind: launcher, scheduler or pool.
sub worker_pids
{
	my ($node, $kind) = @_;
	return split /\n/, $node->safe_psql('postgres',
		"SELECT pid FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = '$kind' AND pid IS NOT NULL ORDER BY pid");
}

# Stops in a mode, starts again, waits for the workers.
sub restart_node
{
	my ($node, $mode) = @_;

	$node->stop($mode // 'fast');
	$node->start;
	return wait_workers($node);
}

# psql with a script in a process of its own, for which nothing has to be pumped; returns its process id, to be
# waited for.
sub start_psql
{
	my ($node, $file, $out, $err, $database) = @_;
	my @command = (
		$node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1',
		'-d', $node->connstr($database // 'postgres'), '-f', $file);
	my $pid = fork() // die "could not fork: $!";

	return $pid if $pid;
	open(STDIN, '<', '/dev/null');
	open(STDOUT, '>', $out);
	open(STDERR, '>', $err);
	exec(@command) or POSIX::_exit(127);
}

# Another session holds all subjects of the ordinary lane, so that workers leave the queue as it is; pushes go
# on. Ends with release_subjects.
sub hold_subjects
{
	my ($node) = @_;
	my $base = "$PostgreSQL::Test::Utils::tmp_check/" . $node->name . '_hold';

	append_to_file("$base.sql", "SET application_name = 'hold';\nBEGIN;\n"
		  . "DO \$\$ BEGIN PERFORM FROM paws_care.counter FOR UPDATE; END \$\$;\nSELECT pg_sleep(600);\n")
	  unless -e "$base.sql";
	my $pid = start_psql($node, "$base.sql", "$base.out", "$base.err");
	wait_for_sql($node, 'the subjects to be held',
		"SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'hold' AND wait_event = 'PgSleep'");
	return $pid;
}

sub release_subjects
{
	my ($node, $pid) = @_;

	$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hold'");
	waitpid($pid, 0);
	return;
}

# Takes the workers away from the database, and gives them back.
sub pause_workers
{
	my ($node) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET paws_sync.databases = ''");
	$node->reload;
	return wait_for_sql($node, 'the workers to leave',
		"SELECT count(*) FILTER (WHERE kind <> 'launcher') = 0 FROM paws_sync.pg_stat_paws_sync_workers");
}

sub resume_workers
{
	my ($node) = @_;

	$node->safe_psql('postgres', 'ALTER SYSTEM RESET paws_sync.databases');
	$node->reload;
	return wait_workers($node);
}

# Kills a node's postmaster and starts the node again, once its children have noticed. Between the two the
# caller's code runs.
sub kill_postmaster
{
	my ($node, $between) = @_;
	my $pid = $node->{_pid};

	$node->kill9;
	$between->() if $between;
	foreach (1 .. 20 * $PostgreSQL::Test::Utils::timeout_default)
	{
		last if !kill(0, $pid) || slurp_file("/proc/$pid/stat") =~ /^\d+ \(.*\) Z/;
		usleep(50_000);
	}
	# where nobody collects orphans, the dead process would be taken for a running server
	unlink $node->data_dir . '/postmaster.pid' if kill(0, $pid);
	foreach (1 .. 20 * $PostgreSQL::Test::Utils::timeout_default)
	{
		return wait_workers($node) if $node->start(fail_ok => 1);
		$node->{_pid} = undef;
		usleep(50_000);
	}
	die 'the node did not start again';
}

# Seeds rand from PAWS_SEED or the clock and says so: a failing run can be repeated.
sub seed_random
{
	my $seed = $ENV{PAWS_SEED} // (time ^ ($$ << 8)) & 0x7fffffff;

	srand($seed);
	note("PAWS_SEED=$seed");
	print STDOUT "# PAWS_SEED=$seed\n";
	return $seed;
}

1;
