# Memory for keys: each process locks its own, a view says which did, and with require_locked_memory none that cannot
# uses a key. The limit is taken from single processes, from the server, and given back.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('memory');
my $limit = qr/Raise the limit on locked memory of the server's user, or switch "paws_sync.require_locked_memory" off/;
my $use = q{SELECT paws_sync.subject_for('one') IS NOT NULL};
my $mine = 'SELECT memory, bytes > 0 FROM paws_sync.pg_stat_paws_sync_memory WHERE pid = pg_backend_pid()';
my $elsewhere = 'SELECT memory, bytes > 0 FROM paws_sync.pg_stat_paws_sync_memory WHERE pid = ';

die('there is no prlimit, which util-linux has') if system("prlimit --pid $$ >/dev/null 2>&1") != 0;
plan skip_all => 'the limit on locked memory is too low here' if $node->safe_psql('postgres', "$use; $mine") ne "t\nlocked|t";

# What a process may lock from now on, in bytes; what it did lock, in kB, as the kernel has it.
sub allow
{
	my ($pid, $bytes) = @_;
	return system("prlimit --pid $pid --memlock=$bytes:") == 0;
}

sub locked_kb
{
	my ($pid) = @_;
	my ($kb) = slurp_file("/proc/$pid/status") =~ /^VmLck:\s+(\d+) kB$/m;
	return $kb;
}

# An open session and its process.
sub open_session
{
	my $session = session($node);
	return ($session, $session->query_safe('SELECT pg_backend_pid()'));
}

# Every process, and which of them hold keys.
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_stat_activity a FULL JOIN paws_sync.pg_stat_paws_sync_memory m USING (pid) '
	  . "WHERE a.backend_type IS DISTINCT FROM m.kind AND m.kind IS DISTINCT FROM 'postmaster' AND a.pid IS DISTINCT FROM pg_backend_pid()"),
	0, 'the view has all processes, by their types');
is($node->safe_psql('postgres', "SELECT pid, memory, bytes > 0 FROM paws_sync.pg_stat_paws_sync_memory WHERE kind = 'postmaster'"),
	"$node->{_pid}|locked|t", 'the postmaster has the roots, locked');
is($node->safe_psql('postgres', "SELECT memory, bytes FROM paws_sync.pg_stat_paws_sync_memory WHERE kind = 'checkpointer'"), 'none|0', 'others have none');
my ($session, $pid) = open_session();
is($session->query_safe($mine), 'none|f', 'a session begins without');
is(locked_kb($pid), 0, 'and locks nothing');
is($session->query_safe("$use; $mine"), "t\nlocked|t", 'at the first use it locks its own');
cmp_ok(locked_kb($pid), '>=', 64, 'which the kernel confirms');
my $bytes = $session->query_safe('SELECT bytes FROM paws_sync.pg_stat_paws_sync_memory WHERE pid = pg_backend_pid()');
$session->query_safe("$use; $use");
is($session->query_safe('SELECT bytes FROM paws_sync.pg_stat_paws_sync_memory WHERE pid = pg_backend_pid()'), $bytes, 'and more use takes no more');
like($session->query_safe("SELECT detail FROM paws_sync.status() WHERE component = 'keys care'"), qr/^locked in this process's memory/, 'status() says it');
my $device = new_device($node, 'one');
paws_push($node, $device, [ op_json('standard') ]);
wait_applied($node);
ok(until_sql($node, "SELECT bool_or(m.memory = 'locked') FROM paws_sync.pg_stat_paws_sync_memory m JOIN paws_sync.pg_stat_paws_sync_workers w USING (pid) WHERE w.kind = 'pool'"),
	'a pool worker that sealed has it too');
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_sync.pg_stat_paws_sync_memory WHERE memory = 'unlocked'"), 0, 'nobody has it unlocked');
$session->quit;
ok(until_sql($node, "SELECT count(*) = 0 FROM paws_sync.pg_stat_paws_sync_memory WHERE pid = $pid"), 'a session that ended is gone');

# Unprivileged processes may lock 64 kB where nobody raised the limit; that is enough, and less is not.
foreach my $case ([ 65536, 'locked' ], [ 65535, 'unlocked' ])
{
	($session, $pid) = open_session();
	allow($pid, $case->[0]);
	is($session->query_safe("$use; $mine"), "t\n$case->[1]|t", "with a limit of $case->[0] bytes: $case->[1]");
	$session->quit;
}

# One process that cannot.
($session, $pid) = open_session();
ok(allow($pid, 0), 'the limit of one process is taken');
is($session->query_safe("$use; $mine"), "t\nunlocked|t", 'it works, and the view says so');
is(locked_kb($pid), 0, 'which is the truth');
is($node->safe_psql('postgres', "$elsewhere$pid"), 'unlocked|t', 'others see it');
like($session->query_safe("SELECT detail FROM paws_sync.status() WHERE component = 'keys care'"), qr/^not locked in memory/, 'status() says it there');
like($node->safe_psql('postgres', "SELECT detail FROM paws_sync.status() WHERE component = 'keys care'"), qr/^locked in this/, 'and not elsewhere');

# Not allowed any more.
set_option($node, 'paws_sync.require_locked_memory', 'on');
ok(within(30, sub { $session->query('SHOW paws_sync.require_locked_memory') eq 'on' }), 'the setting reaches the session');
like($session->query_safe("SELECT state || ': ' || detail FROM paws_sync.status() WHERE component = 'keys care'"), qr/^unlocked: /, 'where status() still answers');
is($session->query_safe('SELECT count(*) FROM paws_sync.collections'), 8, 'and what needs no key works');
eval { $session->query($use) };
ok(until_sql($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'what needs one ends it');
eval { $session->quit };
($session, $pid) = open_session();
allow($pid, 0);
is($session->query_safe($mine), 'none|f', 'a new session without the limit begins');
eval { $session->query($use) };
ok(until_sql($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'and ends with its first use');
eval { $session->quit };
is($node->safe_psql('postgres', "$use; $mine"), "t\nlocked|t", 'who can lock is served');

# New processes have the postmaster's limit: here with all that an error says.
allow($node->{_pid}, 0);
my $error = error_of($node, $use);
is($error->{sqlstate}, '53200', 'the error has its SQLSTATE');
like($error->{hint}, $limit, 'and a hint');
is($node->safe_psql('postgres', $mine), 'none|f', 'no session is refused');
system("prlimit --pid $node->{_pid} --memlock=" . (split /\n/, `prlimit --pid $$ --memlock --output HARD --noheadings --raw`)[0] . ':');
is($node->safe_psql('postgres', "$use; $mine"), "t\nlocked|t", 'with the limit back, all is well');

# After a crash the postmaster still has the roots, and shared memory says so.
my $crash = session($node);
my $victim = $crash->query_safe('SELECT pg_backend_pid()');
kill 'KILL', $victim;
ok(until_sql($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $victim"), 'the server comes back from a crash');
ok(until_sql($node, 'SELECT ' . "($use)"), 'with its keys');
is($node->safe_psql('postgres', "$use; $mine"), "t\nlocked|t", 'locked');
is($node->safe_psql('postgres', "SELECT pid, memory, bytes > 0 FROM paws_sync.pg_stat_paws_sync_memory WHERE kind = 'postmaster'"),
	"$node->{_pid}|locked|t", 'as in the postmaster');
eval { $crash->quit };

# A server that cannot lock at all: without roots if it must, unlocked if it may.
my ($hard) = split /\n/, `prlimit --pid $$ --memlock --output HARD --noheadings --raw`;
$node->stop;
allow($$, 0);
my $from = -s $node->logfile;
ok($node->start(fail_ok => 1), 'a server without the limit starts');
my $log = log_since($node, $from);
like($log, qr/without its $_ root.*\n.*DETAIL:  The memory for secrets could not be locked\..*\n.*HINT:  $limit/, "without its $_ root") foreach qw(care crisis billing);
error_like($node, $use, '55000', $limit, 'SQL says why');
like($node->safe_psql('postgres', "SELECT state || ': ' || detail FROM paws_sync.status() WHERE component = 'keys care'"), qr/^none: .*could not be locked/, 'status() too');
$node->stop;
$node->append_conf('postgresql.auto.conf', 'paws_sync.require_locked_memory = off');
$from = -s $node->logfile;
ok($node->start(fail_ok => 1), 'one that may go without starts');
like(log_since($node, $from), qr/memory for secrets of paws_sync could not be locked.*\n.*DETAIL:  Keys may be written to swap space/, 'says so in its log');
unlike(log_since($node, $from), qr/without its/, 'and has its roots');
is($node->safe_psql('postgres', "$use; $mine"), "t\nunlocked|t", 'its sessions work unlocked');
is($node->safe_psql('postgres', "SELECT memory, bytes > 0 FROM paws_sync.pg_stat_paws_sync_memory WHERE kind = 'postmaster'"), 'unlocked|t', 'as does the postmaster');
allow($$, $hard);
my @crashes = grep { /PANIC|TRAP:|was terminated by signal (?!9)/ } split /\n/, slurp_file($node->logfile);
is("@crashes", '', 'nothing crashed by itself');
$node->stop;
done_testing();
