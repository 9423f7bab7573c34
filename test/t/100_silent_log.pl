# The silent log: random values are planted in statements, parameters, rows and names, on every path on which
# values are known to reach a server's log; then every log file is searched for them. With the log scrubbed none
# is there, with scrubbing off nearly all are (the positive control), and clients get their whole messages always.

use strict;
use warnings;

use PostgreSQL::Test::BackgroundPsql;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use PawsNode;
use PawsProbe;

my $PYTHON = '/usr/bin/python3';
my $long = 300_000;
my $sentinels = 0;

# What is planted in this round, path by canary, and what clients were told, by path.
my (%planted, %told);

seed_random();

my $node = PawsNode->new_node(
	'silent',
	'shared_preload_libraries' => 'auto_explain, paws_sync',
	'logging_collector' => 'on',
	'log_destination' => 'stderr,csvlog,jsonlog',
	'log_line_prefix' => '%m [%p] %e %b %u %d app=%a ',
	'log_statement' => 'all',
	'log_min_duration_statement' => '0',
	'log_parameter_max_length' => '-1',
	'log_parameter_max_length_on_error' => '-1',
	'log_error_verbosity' => 'verbose',
	'log_lock_waits' => 'on',
	'log_connections' => 'on',
	'log_disconnections' => 'on',
	'log_replication_commands' => 'on',
	'wal_level' => 'replica',
	'max_wal_senders' => '2',
	'deadlock_timeout' => '50ms',
	'auto_explain.log_min_duration' => '0',
	'auto_explain.log_nested_statements' => 'on',
	'auto_explain.log_verbose' => 'on',
	'restart_after_crash' => 'on');
my $device = new_device($node, 'somebody');

$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE unique_one (v text PRIMARY KEY);
CREATE TABLE check_one (v text CHECK (length(v) < 5), w text);
CREATE TABLE key_one (v text REFERENCES unique_one);
CREATE TABLE copied (n integer, v text);
CREATE TABLE locked (n integer PRIMARY KEY, v text);
INSERT INTO locked VALUES (1, ''), (2, '');
CREATE TABLE many AS SELECT g AS n FROM generate_series(1, 20000) g;
CREATE FUNCTION note_it(v text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT %L::integer', v);
END $$;
CREATE FUNCTION worker_fails(n integer, v text) RETURNS integer LANGUAGE plpgsql PARALLEL SAFE AS $$
BEGIN
	RETURN (v || n)::integer;
END $$;
SQL

sub canary
{
	my ($path) = @_;
	my $value = 'cnry' . join('', map { chr(97 + int(rand(26))) } 1 .. 20);

	$planted{$value} = $path;
	return $value;
}

sub number
{
	my ($path) = @_;
	my $value = join('', map { 1 + int(rand(9)) } 1 .. 24);

	$planted{$value} = $path;
	return $value;
}

# Runs SQL in which {} stands for the canary of the path; keeps what the client was told.
sub plant
{
	my ($path, $sql, %o) = @_;
	my $value = $o{number} ? number($path) : canary($path);
	my ($out, $err) = ('', '');

	$value = PawsNode::base64($value) if $o{base64};
	$sql =~ s/\{\}/$value/g;
	$node->psql($o{database} // 'postgres', $sql, stdout => \$out, stderr => \$err, on_error_stop => 0,
		extra_params => $o{params} // []);
	$told{$path} = { value => $value, said => $out . $err };
	return;
}

sub plant_statements
{
	plant('insert', "INSERT INTO copied VALUES (1, '{}')");
	plant('select', "SELECT '{}'");
	plant('cursor', "BEGIN; DECLARE c CURSOR FOR SELECT '{}'::text; FETCH c; COMMIT");
	plant('notify', "NOTIFY somewhere, '{}'");
	plant('prepare', "PREPARE p (text) AS SELECT \$1 || '{}'; EXECUTE p('a')");
	plant('execute', "PREPARE p (text) AS SELECT \$1; EXECUTE p('{}')");
	plant('comment', "SELECT 1 /* {} */");
	plant('duration', "SET log_statement = none; SELECT '{}'::text");
	plant('application name', "SET application_name = '{}'; SELECT 1");
	plant('print parse', "SET debug_print_parse = on; SET debug_print_plan = on; SELECT '{}'::text");
	return;
}

sub plant_errors
{
	plant('unique', "INSERT INTO unique_one VALUES ('{}'); INSERT INTO unique_one VALUES ('{}')");
	plant('check', "INSERT INTO check_one VALUES ('{}', 'w')");
	plant('foreign key', "INSERT INTO key_one VALUES ('{}')");
	plant('uuid', "SELECT '{}'::uuid");
	plant('enum', "SELECT '{}'::mood");
	plant('json', "SELECT '{\"a\": {}'::json");
	plant('integer', "SELECT '{}'::integer", number => 1);
	plant('date', "SELECT '{}'::date");
	plant('copy', "COPY copied FROM STDIN;\n{}\tx\n\\.\n");
	plant('syntax', "SELEKT '{}'");
	plant('unknown column', 'SELECT "{}" FROM copied');
	plant('set', "SET work_mem = '{}'");
	plant('timeout', "SET statement_timeout = '20ms'; SELECT pg_sleep(600), '{}'");
	plant('wrong key', "SELECT pgp_sym_decrypt(pgp_sym_encrypt('a', 'b'), '{}')");
	plant('nested', "SELECT note_it('{}')");
	plant('parallel', "SET force_parallel_mode = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;\n"
		  . "SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off;\n"
		  . "SELECT count(*) FROM many WHERE worker_fails(n, '{}') = 1");
	return;
}

sub plant_raised
{
	foreach my $level (qw(LOG NOTICE WARNING EXCEPTION))
	{
		plant("raise $level", "DO \$\$ BEGIN RAISE $level 'it is {}'; END \$\$");
		plant("raise $level with fields", "DO \$\$ BEGIN RAISE $level USING MESSAGE = '{}', DETAIL = '{} detail', "
			  . "HINT = '{} hint', COLUMN = '{} column', CONSTRAINT = '{} constraint', DATATYPE = '{} type', "
			  . "TABLE = '{} table', SCHEMA = '{} schema'; END \$\$");
	}
	plant('long message', "DO \$\$ BEGIN RAISE EXCEPTION '%', repeat('{}', $long / 24); END \$\$");
	plant('long statement', "SELEKT '" . ('{}' x (1_000_000 / 24)) . "'");
	# sending this to the client fails while the error is being handled
	plant('error in error', "SET client_encoding = 'LATIN1'; SELECT set_config('a.b', U&'\\+01F600', false);\n"
		  . "DO \$\$ BEGIN RAISE EXCEPTION '% {}', chr(128512); END \$\$; SELECT 'still here'");
	return;
}

sub plant_ours
{
	my $op = new_uuid();

	plant('push', "SELECT outcome FROM paws_sync.push('$device', '["
		  . op_json('standard', payload => 'PAYLOAD') =~ s/"payload": "[^"]*"/"payload": "{}"/r . "]')", base64 => 1);
	plant('push unknown key', "SELECT outcome, code FROM paws_sync.push('$device', '[{\"op_id\": \"$op\", \"{}\": 1}]')");
	plant('push no array', "SELECT * FROM paws_sync.push('$device', '\"{}\"')");
	plant('push bad token', "SELECT * FROM paws_sync.push('{}', '[]')");
	plant('push_many', "SELECT * FROM paws_sync.push_many('$device', '{}', '{standard}', '{}', '{0}', '{{}}')");
	plant('subject_for', "SELECT paws_sync.subject_for('{}')");
	plant('define_collection', "SELECT paws_sync.define_collection('Not {}', 'standard')");
	plant('wrapped', "PREPARE w (text) AS SELECT paws_sync.subject_for(\$1); EXECUTE w('{}'); EXECUTE w('')");
	return;
}

# Values that are bound, not written: pgbench binds its variables, and psycopg does if it is there.
sub plant_bound
{
	foreach my $mode (qw(extended prepared))
	{
		foreach my $statement ('SELECT :c::text', 'SELECT :c::integer', 'INSERT INTO check_one VALUES (:c)')
		{
			my $path = "bound $mode $statement";
			my $value = canary($path);
			my $file = $node->basedir . '/bound.sql';
			my ($said, $err) = ('', '');

			open(my $out, '>', $file) or die "$file: $!";
			print $out "$statement;\n";
			close $out;
			IPC::Run::run([ 'pgbench', '-n', '-M', $mode, '-t', 1, '-D', "c=$value", '-f', $file, '-h', $node->host,
					'-p', $node->port, '-U', 'postgres', 'postgres' ],
				'<', \undef, '>', \$said, '2>', \$err);
			$told{$path} = { value => $value, said => $said . $err };
		}
	}
	return;
}

sub plant_psycopg
{
	my $conninfo = $node->connstr('postgres');
	my ($out, $err) = ('', '');
	my @paths = map { "psycopg $_" } qw(text uuid check json push prepared);
	my @values = map { canary($_) } @paths;
	my $op = new_uuid();
	my $script = <<"PYTHON";
import sys, psycopg
conninfo, device = sys.argv[1:3]
v = sys.argv[3:]
with psycopg.connect(conninfo, autocommit=True) as c:
    def run(text, values, **how):
        try:
            c.execute(text, values, **how).fetchall()
        except psycopg.Error as e:
            print(e)
    run('SELECT %s::text', [v[0]])
    run('SELECT %s::uuid', [v[1]])
    run('INSERT INTO check_one VALUES (%s)', [v[2]])
    run('SELECT %s::json', ['{' + v[3]])
    run('SELECT outcome::text FROM paws_sync.push_many(%s::paws_sync.device, %s::uuid[], %s::text[], %s::uuid[],'
        ' %s::bigint[], %s::bytea[])', [device, ['$op'], ['standard'], ['$op'], [0], [v[4].encode()]])
    run('SELECT %s::integer', [v[5]], prepare=True)
PYTHON
	IPC::Run::run([ $PYTHON, '-c', $script, $conninfo, $device, @values ], '<', \undef, '>', \$out, '2>', \$err)
	  or diag($err);
	$told{ $paths[$_] } = { value => $values[$_], said => $out } for 0 .. $#paths;
	return;
}

# One statement of a session that gives these names in its startup packet; what the client was told. Nothing is
# sent to psql, for it may be gone before it reads.
sub connect_with
{
	my ($conninfo, $sql) = @_;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'psql', '-X', '-d', $node->connstr('postgres') . " $conninfo", '-c', $sql // 'SELECT 1' ],
		'<', \undef, '>', \$out, '2>', \$err);
	return $out . $err;
}

# Names that nobody knows, and names of applications, in the startup packet.
sub plant_connections
{
	my %conninfo = (
		'startup database' => 'dbname={}',
		'startup role' => 'user={}',
		'startup application' => 'application_name={}',
		'startup option' => "options='-c work_mem={}'");

	foreach my $path (sort keys %conninfo)
	{
		my $value = canary($path);
		$told{$path} = { value => $value, said => connect_with($conninfo{$path} =~ s/\{\}/$value/r) };
	}
	my $slot = canary('replication');
	$told{replication} = { value => $slot, said => connect_with('replication=database', "DROP_REPLICATION_SLOT $slot") };
	return;
}

sub plant_deadlock
{
	my $value = canary('deadlock');
	my ($one, $two) = map { $node->background_psql('postgres', on_error_stop => 0) } 1 .. 2;

	$one->query("BEGIN; UPDATE locked SET v = '$value' WHERE n = 1");
	$two->query("BEGIN; UPDATE locked SET v = '$value' WHERE n = 2");
	$one->query_until(qr/sent/, "\\echo sent\nUPDATE locked SET v = '$value' WHERE n = 2;\nROLLBACK;\n\\echo over\n");
	wait_for_sql($node, 'one waits', "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)");
	$two->query("UPDATE locked SET v = '$value' WHERE n = 1");
	my $said = $two->{stderr};
	$two->query('ROLLBACK');
	$one->query_until(qr/over/, '');
	$told{deadlock} = { value => $value, said => $said . $one->{stderr} };
	eval { $_->quit } for $one, $two;
	return;
}

# The postmaster tells what a process that crashed was doing.
sub plant_crash
{
	my $value = canary('crash');
	my $victim = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $victim->query_safe('SELECT pg_backend_pid()');

	$victim->query_until(qr/sent/, "\\echo sent\nSELECT pg_sleep(600), '$value';\n");
	wait_for_sql($node, 'the victim sleeps', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid AND query ~ '$value')");
	kill 'KILL', $pid;
	eval { $victim->quit };
	wait_for_sql($node, 'the server after a crash', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
	return;
}

# The files of the log and how long each is.
sub log_files
{
	return glob($node->data_dir . '/log/*'), $node->logfile;
}

sub log_sizes
{
	return { map { $_ => -s $_ // 0 } log_files() };
}

# What was written since then, by ending of the file, once it is all there: a report with an SQLSTATE that was
# never used before has come through each file.
sub log_text
{
	my ($sizes) = @_;
	my $state = sprintf 'ZZ%03d', ++$sentinels;
	my $attempts = 20 * $PostgreSQL::Test::Utils::timeout_default;
	my $collected = $node->safe_psql('postgres', 'SHOW logging_collector') eq 'on';

	$node->safe_psql('postgres', "DO \$\$ BEGIN RAISE LOG 'x' USING ERRCODE = '$state'; END \$\$");
	while ($attempts-- > 0)
	{
		my %text;
		foreach my $file (log_files())
		{
			my ($kind) = $file =~ /\.(csv|json)$/ ? $1 : 'log';
			$text{$kind} .= substr(slurp_file($file), $sizes->{$file} // 0);
		}
		return \%text unless grep { ($text{$_} // '') !~ /$state/ } $collected ? qw(log csv json) : 'log';
		usleep(50_000);
	}
	die 'the log does not come';
}

# The paths whose canaries are in a text, plainly, in base64 or in hexadecimal.
sub paths_in
{
	my ($text) = @_;
	my %found;

	while (my ($value, $path) = each %planted)
	{
		my $coded = PawsNode::base64($value) =~ s/=*$//r;
		my $hex = unpack 'H*', $value;
		$found{$path} = 1 if index($text, $value) >= 0 || index($text, $coded) >= 0 || index(lc $text, $hex) >= 0;
	}
	return sort keys %found;
}

sub set_mode
{
	my ($mode) = @_;

	$node->safe_psql('postgres', "ALTER SYSTEM SET paws_sync.log_scrub = '$mode'");
	$node->reload;
	return wait_for_sql($node, "mode $mode", "SELECT current_setting('paws_sync.log_scrub') = '$mode'");
}

my $psycopg = IPC::Run::run([ $PYTHON, '-c', 'import psycopg' ], '<', \undef, '>', \my $o, '2>', \my $e);

# One round: everything planted, and the log of it.
sub round
{
	my ($mode) = @_;

	set_mode($mode);
	%planted = ();
	%told = ();
	my $sizes = log_sizes();
	plant_statements();
	plant_errors();
	plant_raised();
	plant_ours();
	plant_bound();
	plant_psycopg() if $psycopg;
	plant_connections();
	plant_deadlock();
	plant_crash();
	return log_text($sizes);
}

# What each client must have been told, in any mode.
sub clients_were_told
{
	my ($mode) = @_;
	my %part = (
		'unique' => qr/Key \(v\)=\(VALUE\) already exists/,
		'check' => qr/Failing row contains \(VALUE, w\)/,
		'uuid' => qr/invalid input syntax for type uuid: "VALUE"/,
		'copy' => qr/CONTEXT:  COPY copied, line 1, column n: "VALUE"/,
		'syntax' => qr/LINE 1: SELEKT 'VALUE'/,
		'nested' => qr/QUERY:  SELECT 'VALUE'::integer\nCONTEXT:/,
		'parallel' => qr/invalid input syntax for type integer: "VALUE[^"]*"\n(?:.*\n)*CONTEXT:(?:.*\n)*parallel worker/,
		'raise NOTICE' => qr/NOTICE:  it is VALUE/,
		'raise WARNING with fields' => qr/WARNING:  VALUE\nDETAIL:  VALUE detail\nHINT:  VALUE hint/,
		'raise EXCEPTION with fields' => qr/ERROR:  VALUE\nDETAIL:  VALUE detail\nHINT:  VALUE hint/,
		'long message' => qr/(?:VALUE){1000}/,
		'error in error' => qr/still here/,
		'push' => qr/accepted/,
		'startup database' => qr/database "VALUE" does not exist/,
		'deadlock' => qr/deadlock detected\nDETAIL:  Process \d+ waits/,
		'bound extended SELECT :c::integer' => qr/invalid input syntax for type integer: "VALUE"/);

	foreach my $path (sort keys %part)
	{
		my $pattern = "$part{$path}" =~ s/VALUE/$told{$path}{value}/gr;
		like(substr($told{$path}{said} // '', 0, 100_000), qr/$pattern/, "$mode: the client is told: $path");
	}
	return;
}

# Positive control: with the hook off, this search finds what leaks on these very paths.
my $text = round('off');
my %leaked = map { $_ => 1 } paths_in(join '', values %$text);
my %all = map { $_ => 1 } values %planted;
my @silent = grep { !$leaked{$_} } sort keys %all;
cmp_ok(scalar(keys %leaked), '>=', 0.95 * scalar(keys %all), 'off: ' . scalar(keys %leaked) . ' of ' . scalar(keys %all) . ' paths leak')
  or diag("not: @silent");
note("silent without a hook: $_: $told{$_}{said}") for @silent;
cmp_ok(scalar(my @found = paths_in($text->{$_})), '>', 40, "off: they leak into $_") for qw(log csv json);
clients_were_told('off');

# The same, scrubbed.
$text = round('all');
is(join(', ', paths_in($text->{$_})), '', "all: nothing in $_") for qw(log csv json);
clients_were_told('all');

# What is left of each line.
my %left = (
	'unique' => qr/ERROR:  23505: duplicate key value violates unique constraint "%s" \[23505 _bt_check_unique:\d+\]\n.*LOCATION:  _bt_check_unique, nbtinsert\.c:\d+/,
	'duration' => qr/LOG:  00000: duration: %s ms  statement: %s \[00000 exec_simple_query:\d+\]/,
	'statement' => qr/LOG:  00000: statement: %s \[00000 exec_simple_query:\d+\]/,
	'plan' => qr/LOG:  00000: duration: %\.3f ms  plan:/,
	'raised' => qr/ERROR:  P0001: %s \[P0001 exec_stmt_raise:\d+\]/,
	'notice' => qr/WARNING:  01000: %s \[01000 exec_stmt_raise:\d+\]/,
	'deadlock' => qr/ERROR:  40P01: deadlock detected \[40P01 DeadLockReport:\d+\]/,
	'waiting for a lock' => qr/process %d (?:still waiting|detected deadlock while waiting) for %s on %s after %ld\.%03d ms/,
	'parallel worker' => qr/ERROR:  22P02: \[22P02\]\n/,
	'no database' => qr/FATAL:  3D000: database "%s" does not exist \[3D000 /,
	'crash' => qr/LOG:  00000: server process \(PID \d+\) was terminated by signal 9: Killed \[00000 LogChildExit:\d+\]/,
	'recovery' => qr/database system is ready to accept connections \[00000 /);
like($text->{log}, $left{$_}, "the log still tells: $_") for sort keys %left;
# but what we say ourselves, without a value
(my $others = $text->{log}) =~ s/^.*DETAIL:  There is no file of it\. Every subject begins with all that its tier allows\.\n//mg;
unlike($others, qr/^\S+ .*\b(?:DETAIL|HINT|CONTEXT|QUERY|STATEMENT|BACKTRACE):/m, 'and nothing else');
like($text->{csv}, qr/,ERROR,23505,"duplicate key value violates unique constraint ""%s"" \[23505 _bt_check_unique:\d+\]",,,,,,,,"_bt_check_unique, nbtinsert\.c:\d+","",/, 'csv');
like($text->{json}, qr/"error_severity":"ERROR","state_code":"23505","message":"duplicate key value violates unique constraint \\"%s\\" \[23505 [^"]*","func_name":"_bt_check_unique","file_name":"nbtinsert\.c"/, 'json');

# Mode "extension" takes what names us and leaves the rest, wrappers included: that is why it is not the default.
set_mode('extension');
%planted = ();
my $sizes = log_sizes();
plant('names us', "SELECT paws_sync.define_collection('Not {}', 'standard')");
plant('names us not', "SELECT '{}'::uuid");
is(join(', ', paths_in(log_text($sizes)->{log})), 'names us not', 'extension: what does not name us is logged');

# Who may switch it.
my $denied = error_of($node, 'CREATE ROLE plain LOGIN; SET ROLE plain; SET paws_sync.log_scrub = off');
is($denied->{sqlstate}, '42501', 'only superusers switch it off');

# FATAL, where nothing below it is logged.
set_mode('all');
set_option($node, 'log_min_messages', "'fatal'");
wait_for_sql($node, 'the level', "SELECT current_setting('log_min_messages') = 'fatal'");
$sizes = log_sizes();
connect_with('dbname=nosuchdb');
my ($attempts, $seen) = (20 * $PostgreSQL::Test::Utils::timeout_default, '');
while ($attempts-- > 0 && $seen !~ /3D000/)
{
	usleep(50_000);
	$seen = join '', map { substr(slurp_file($_), $sizes->{$_} // 0) } grep { /\.log$/ } log_files();
}
like($seen, qr/FATAL:  3D000: database "%s" does not exist \[3D000/, 'FATAL is logged where only that is');
unlike($seen, qr/nosuchdb does/, 'without its values');
set_option($node, 'log_min_messages', "'warning'");

# The posture: what leaks now, and what would.
my $bad = "SELECT string_agg(setting, ',' ORDER BY setting) FROM paws_sync.log_posture() WHERE NOT ok "
  . "AND setting NOT IN ('core file size', 'track_activities')";
is($node->safe_psql('postgres', $bad), '', 'posture: the hook covers the settings');
is($node->safe_psql('postgres', "SELECT value, wanted, ok FROM paws_sync.log_posture() WHERE setting = 'track_activities'"),
	'on|off|f', 'posture: what it does not cover is named');
is($node->safe_psql('postgres', "SELECT value, ok FROM paws_sync.log_posture() WHERE setting = 'emit_log_hook'"),
	'paws_sync|t', 'posture: the hook in front is ours');
like($node->safe_psql('postgres', "SET paws_sync.log_scrub = off; $bad"),
	qr/^auto_explain.log_min_duration,log_error_verbosity,log_lock_waits,log_min_duration_statement,.*log_statement,paws_sync.log_scrub$/,
	'posture: what leaks without it');
$node->safe_psql('postgres', 'ALTER ROLE plain SET paws_sync.log_scrub = off; ALTER DATABASE template1 SET track_activities = on');
is($node->safe_psql('postgres', $bad), 'paws_sync.log_scrub of role plain,track_activities in database template1',
	'posture: roles and databases that differ');

# Without the collector, and without keys: our own lines keep what they say.
$node->adjust_conf('postgresql.conf', 'logging_collector', "'off'");
$node->adjust_conf('postgresql.conf', 'log_destination', "'stderr'");
$node->adjust_conf('postgresql.conf', 'paws_sync.care_root', "''");
%planted = ();
$sizes = log_sizes();
$node->restart;
plant_statements();
plant_errors();
plant_raised();
plant_crash();
$text = log_text($sizes)->{log};
is(join(', ', paths_in($text)), '', 'without collector: nothing');
like($text, qr/LOG:  00000: paws_sync runs without its care root \[00000 \w+:\d+\]\n.*DETAIL:  No provider is configured .*\n.*HINT:  Let "paws_sync\.care_root" name/,
	'our own lines are whole');
like($text, qr/LOG:  00000: starting PostgreSQL 15/, 'the server says what it is');
unlike(join('', map { slurp_file($_) } log_files()), qr/PANIC|TRAP:|was terminated by signal (?!9)/, 'no process failed');

$node->stop;
done_testing();
