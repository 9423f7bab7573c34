# Work goes through a pooler in transaction mode: a real pgbouncer, with fewer server connections than clients. A claim
# belongs to nobody's session: it is completed through whichever connection comes.

use strict;
use warnings;

use PawsJobs;
use PawsNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($pgbouncer) = grep { -x } qw(/usr/sbin/pgbouncer /usr/bin/pgbouncer);
BAIL_OUT('pgbouncer is not installed: test/deps.sh does that') unless $pgbouncer;

my $node = PawsNode->new_node('pooler', 'paws_sync.max_wait_with_snapshot' => '2s');
my $folder = PostgreSQL::Test::Utils::tempdir_short();
my $port = PostgreSQL::Test::Cluster::get_free_port();
my $user = $node->safe_psql('postgres', 'SELECT current_user');

append_to_file("$folder/users", "\"$user\" \"\"\n");
append_to_file("$folder/pgbouncer.ini", join("\n", '[databases]',
	'postgres = host=' . $node->host . ' port=' . $node->port . " dbname=postgres user=$user pool_size=3",
	'[pgbouncer]', 'pool_mode = transaction', 'listen_addr =', "unix_socket_dir = $folder", "listen_port = $port",
	'auth_type = any', "auth_file = $folder/users", "logfile = $folder/log", "pidfile = $folder/pid",
	'max_client_conn = 100', 'ignore_startup_parameters = extra_float_digits,options', ''));
my $bouncer = fork() // die "could not fork: $!";
if ($bouncer == 0)
{
	open(STDIN, '<', '/dev/null');
	open(STDOUT, '>', "$folder/out");
	open(STDERR, '>', "$folder/out");
	exec($pgbouncer, '-q', "$folder/pgbouncer.ini") or POSIX::_exit(127);
}

END
{
	my $status = $?;
	if ($bouncer)
	{
		kill('TERM', $bouncer);
		waitpid($bouncer, 0);
	}
	$? = $status;
}

my $through = "host=$folder port=$port dbname=postgres user=$user";

sub pooled
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');
	my $result = IPC::Run::run([ $node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $through ],
		'<', \$sql, '>', \$out, '2>', \$err);

	chomp $out;
	return wantarray ? ($result, $out, $err) : $out;
}

my $attempts = 0;
until ((pooled('SELECT 1'))[0])
{
	die slurp_file("$folder/out") if $attempts++ > 100;
	Time::HiRes::usleep(50_000);
}

$node->safe_psql('postgres', "SELECT paws_sync.define_topic('letters')");
is(pooled("SELECT outcome FROM paws_sync.submit('letters', 'a', key => 'one')"), 'submitted', 'submitted through the pooler');
is(pooled("SELECT outcome FROM paws_sync.submit('letters', 'a', key => 'one')"), 'duplicate', 'and known to the next connection');

# claimed on one connection, completed on others
my ($job, $fence) = split /\|/, pooled("SELECT job, fence FROM paws_sync.claim('{letters}')");
like($fence, qr/^\d+$/, 'claimed');
my $claimer = $node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE application_name <> '' AND backend_type = 'client backend'");
is($node->safe_psql('postgres', "SELECT paws_sync.extend($job, $fence)"), 'extended', 'extended from a session of its own');
is($node->safe_psql('postgres', "SELECT paws_sync.complete($job, $fence)"), 'completed', 'and completed from another');

# when the server process that claimed goes, the lease stays: a pooler closes connections as it likes
$node->safe_psql('postgres', "SELECT paws_sync.submit('letters', 'b')");
($job, $fence) = split /\|/, pooled("SELECT job, fence FROM paws_sync.claim('{letters}')");
$node->safe_psql('postgres',
	"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_sync.claim('{letters}')"), 0, 'a lease outlives the server process that took it');
is($node->safe_psql('postgres', "SELECT paws_sync.complete($job, $fence)"), 'completed', 'and is completed');

# transactions of several statements, and ones that are rolled back
pooled("SELECT paws_sync.submit('letters', 'c')");
my ($good, $out, $err) = pooled("BEGIN; SELECT count(*) FROM paws_sync.claim('{letters}'); ROLLBACK; SELECT count(*) FROM paws_sync.claim('{letters}');");
is($out, "1\n1", 'a claim that is rolled back is free');
is(pooled("SELECT count(*) FROM paws_sync.claim('{letters}')"), 0, 'one that is committed is not');

# waiting
is(pooled("SELECT count(*) FROM paws_sync.claim_wait('{letters}', timeout => '10 ms')"), 0, 'waits through the pooler');
pooled("SELECT paws_sync.submit('letters', 'd')");
is(pooled("SELECT count(*) FROM paws_sync.claim_wait('{letters}', timeout => '1 min')"), 1, 'and gets what comes');

# Many clients over three server connections, with prepared statements off as this mode has it.
my $jobs = PawsJobs->new($node, lease => '30 seconds');
my $base = "$PostgreSQL::Test::Utils::tmp_check/pooler";
append_to_file("$base.sql", <<'SQL');
SELECT x.submit(3, false);
SELECT job, fence FROM x.claim_one() \gset
SELECT x.finish(:job, :fence);
SELECT x.work_loosely(5);
SQL
($good, $out) = (undef, '');
$good = IPC::Run::run([ $node->installed_command('pgbench'), '-n', '-M', 'simple', '-c', 12, '-t', 25, '-f', "$base.sql", '-d', $through ],
	'>', \$out, '2>&1');
ok($good, 'twelve clients come to their end') or diag $out;
like($out, qr/number of transactions actually processed: 300\/300/, 'with every transaction');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"),
	'<=', 3, 'over three connections');
$jobs->drain;
$jobs->check('pooled');

$node->stop;
done_testing();
