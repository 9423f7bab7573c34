# What tests of operation need beside PawsNode: errors with all their parts, sessions that wait, other
# databases. The functions are exported.

package PawsProbe;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(
  error_of error_like until_sql within set_option workers_are has_workers push_some session hold_notify start_query start_load
  end_load log_since crash_free
);

# What a statement fails with: sqlstate, message, detail, hint; sqlstate is empty where it succeeds.
sub error_of
{
	my ($node, $sql, %o) = @_;
	my ($out, $err) = ('', '');

	$node->psql($o{database} // 'postgres', "\\set VERBOSITY verbose\n$sql",
		stdout => \$out, stderr => \$err, on_error_stop => 0, ($o{user} ? (extra_params => [ '-U', $o{user} ]) : ()));
	my %e = (sqlstate => '', message => '', detail => '', hint => '', output => $out);
	@e{qw(sqlstate message)} = ($1, $2) if $err =~ /(?:ERROR|FATAL):  ([0-9A-Z]{5}): (.*)/;
	$e{detail} = $1 if $err =~ /DETAIL:  (.*)/;
	$e{hint} = $1 if $err =~ /HINT:  (.*)/;
	return \%e;
}

# One test: the statement fails with this sqlstate and, if given, a hint that matches.
sub error_like
{
	my ($node, $sql, $sqlstate, $hint, $name, %o) = @_;
	my $e = error_of($node, $sql, %o);
	my $good = $e->{sqlstate} eq $sqlstate && (!defined $hint || $e->{hint} =~ $hint);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok($good, $name) or diag(join ' / ', map { "$_: $e->{$_}" } qw(sqlstate message detail hint output));
	return $good;
}

# True as soon as the query answers t, false after so many seconds; errors count as "not yet".
sub until_sql
{
	my ($node, $query, %o) = @_;
	my $deadline = time + ($o{seconds} // $PostgreSQL::Test::Utils::timeout_default);
	my ($out, $err) = ('', '');

	do
	{
		my $status = $node->psql($o{database} // 'postgres', $query, stdout => \$out, stderr => \$err);
		return 1 if $status == 0 && $out eq 't';
		usleep(30_000);
	} while (time < $deadline);
	diag("last answer: $out $err");
	return 0;
}

# The same for any condition in Perl.
sub within
{
	my ($seconds, $condition) = @_;
	my $deadline = time + $seconds;

	do
	{
		return 1 if $condition->();
		usleep(30_000);
	} while (time < $deadline);
	return 0;
}

# Sets a setting for the server and reloads.
sub set_option
{
	my ($node, $name, $value) = @_;

	my $before = $node->safe_psql('postgres', "ALTER SYSTEM SET $name = $value; SELECT pg_conf_load_time()");

	$node->reload;
	# whoever connects before the postmaster has read it begins with what was
	PawsNode::wait_for_sql($node, "$name to be read", "SELECT pg_conf_load_time() <> '$before'");
	return;
}

# A query that is t while a database has exactly so many pool workers and a scheduler (none of either for 0).
sub workers_are
{
	my ($database, $pool) = @_;
	my $schedulers = $pool ? 1 : 0;

	return "SELECT count(*) FILTER (WHERE kind = 'pool') = $pool AND "
	  . "count(*) FILTER (WHERE kind = 'scheduler') = $schedulers "
	  . "FROM paws_sync.pg_stat_paws_sync_workers w WHERE pid IS NOT NULL AND database = '$database' "
	  . "AND EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = w.pid)";
}

# Waits until a database has so many; looked at from database "postgres".
sub has_workers
{
	my ($node, $database, $pool) = @_;
	return until_sql($node, workers_are($database, $pool));
}

# A statement that pushes so many new documents; its answer is how many were accepted.
sub push_some
{
	my ($device, $count, $collection) = @_;

	$collection //= 'standard';
	return <<"SQL";
SELECT count(*) FILTER (WHERE outcome = 'accepted') FROM paws_sync.push_many('$device',
	ARRAY(SELECT gen_random_uuid() FROM generate_series(1, $count)), array_fill('$collection'::text, ARRAY[$count]),
	ARRAY(SELECT gen_random_uuid() FROM generate_series(1, $count)), array_fill(0::bigint, ARRAY[$count]),
	array_fill('\\x68656c6c6f'::bytea, ARRAY[$count]));
SQL
}

# A session that stays open and survives errors; the timeout is for each of its queries.
sub session
{
	my ($node, $database) = @_;
	my $session = $node->background_psql($database // 'postgres', on_error_stop => 0, timeout => 300);

	$session->set_query_timer_restart;
	return $session;
}

# Nobody can NOTIFY from now on: a session is stopped in its commit, where it has the lock for that. Needs max_wal_senders
# above 0. Ends with the code that is returned.
sub hold_notify
{
	my ($node) = @_;
	my $session = session($node);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');

	set_option($node, 'synchronous_standby_names', "'nobody'");
	start_query($session, "BEGIN; SELECT pg_logical_emit_message(true, 'held', ''); NOTIFY held; COMMIT");
	die 'it does not wait' unless until_sql($node, "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = $pid");
	kill 'STOP', $pid;
	set_option($node, 'synchronous_standby_names', "''");
	return sub { kill 'CONT', $pid; $session->quit; return };
}

# Starts statements in a session without waiting for them; the next query of the session does.
sub start_query
{
	my ($session, $sql) = @_;

	$session->query_until(qr/started/, "\\echo started\n$sql;\n");
	return;
}

# Clients that run a script until they are stopped or fail; what they say goes to a file.
sub start_load
{
	my ($node, $database, $clients, $script) = @_;
	my $file = $node->basedir . '/load.sql';
	my $log = $node->basedir . '/load.log';

	PostgreSQL::Test::Utils::append_to_file($file, '');
	open(my $out, '>', $file) or die "could not write $file: $!";
	print $out $script;
	close $out;
	my $run = IPC::Run::start([ 'pgbench', '-n', '-M', 'prepared', '-c', $clients, '-T', 120, '-f', $file, '-h', $node->host,
			'-p', $node->port, '-U', 'postgres', $database ],
		'<', \undef, '>', $log, '2>&1');
	return $run;
}

sub end_load
{
	my ($run) = @_;

	$run->signal('INT');
	$run->finish;
	return;
}

# The server's log from an offset on.
sub log_since
{
	my ($node, $offset) = @_;
	return substr(slurp_file($node->logfile), $offset // 0);
}

# One test: no process of the server crashed, and nothing internal went wrong in ours.
sub crash_free
{
	my ($node, $name) = @_;
	my @bad = grep { /PANIC|was terminated by signal|server process .* exited with exit code [2-9]|TRAP:/ }
	  split /\n/, slurp_file($node->logfile);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(join("\n", @bad), '', $name // 'no process crashed');
}

1;
