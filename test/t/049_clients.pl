# The examples for client programs do what they say, through their drivers.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PawsNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PawsNode->new_node('clients');
my $clients = "$FindBin::RealBin/../clients";

sub available
{
	my (@command) = @_;
	my ($out, $err);

	return eval { run_log(\@command, '>', \$out, '2>', \$err) };
}

sub check_example
{
	my ($name, $where, @command) = @_;
	my ($out, $err) = ('', '');
	my $good = run_log([ @command, $where ], '>', \$out, '2>', \$err);

	ok($good, "$name: ends well") or diag $err;
	like($out, qr/^push: accepted/m, "$name: the operation is accepted");
	like($out, qr/^push: duplicate/m, "$name: the repeated operation is known");
	like($out, qr/^pull: change mood 1/m, "$name: the other device has the change");
	like($out, qr/^receipt: .*applied/m, "$name: the receipt says what became of it");
}

sub check_jobs
{
	my ($name, $where, @command) = @_;
	my ($out, $err) = ('', '');
	my $good = run_log([ @command, $where ], '>', \$out, '2>', \$err);

	ok($good, "$name: jobs: ends well") or diag $err;
	is($out, <<'TEXT', "$name: jobs: says what became of each");
submit: submitted available
submit: duplicate available
batch: submitted submitted submitted
done: bring the diary
repeat: duplicate completed sent
late: PW011 effects: 0
fail: retried
batch: completed completed
attempt: 2
fail: dead
dead: refused 2
redriven: 1
left: 0 0 0
TEXT
}

# The registry's driver is beside the examples; Debian's is where the path of modules leads.
my $modules = "$clients/node/node_modules";
symlink '/usr/share/nodejs', $modules if !-e $modules && -e '/usr/share/nodejs/pg';
$ENV{NODE_PATH} = $modules;

die('python3 has no psycopg: "bash test/deps.sh demo" installs it') unless available('/usr/bin/python3', '-c', 'import psycopg');
die('node has no pg: "bash test/deps.sh demo" installs it') unless -e "$modules/pg" && available('node', '--version');

# libpq takes one form, node-postgres the other
my $string = $node->connstr('postgres');
my $url = 'postgres:///postgres?host=' . $node->host . '&port=' . $node->port . '&user=' . $node->safe_psql('postgres', 'SELECT current_user');

check_example('python', $string, '/usr/bin/python3', "$clients/python/push_pull.py");
check_jobs('python', $string, '/usr/bin/python3', "$clients/python/jobs.py");
check_example('node', $url, 'node', "$clients/node/push_pull.mjs");
check_jobs('node', $url, 'node', "$clients/node/jobs.mjs");

$node->stop;
done_testing();
