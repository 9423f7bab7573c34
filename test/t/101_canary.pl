# The canary sweep, small: some thousand planted values through every function, looked for in everything that the
# server writes. What leaks, what was not reached and what the control does not find is in the output of the sweep.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $sweep = "$FindBin::RealBin/../canary";
my $python = $ENV{PYTHON} // '/usr/bin/python3';
my ($out, $err) = ('', '');

die("$python has no psycopg or no faker: \"bash test/deps.sh demo\" installs them")
  unless eval { run_log([ $python, '-c', 'import faker, psycopg' ], '>', \$out, '2>', \$err) };

my $good = run_log([ 'bash', "$sweep/run.sh", '--small', '--no-build' ], '<', \undef, '>', \$out, '2>', \$err);

ok($good, 'the sweep ends well') or diag("$out\n$err");
my ($covered, $functions) = $out =~ /^functions covered: (\d+) of (\d+)$/m;
cmp_ok($functions // 0, '>', 50, 'it knows the functions');
is($covered, $functions, 'each was called, and each of its arguments planted');
foreach my $kind ('by parameter', 'as literal', 'caller\'s own temporary data')
{
	my ($planted, $found) = $out =~ /^$kind: (\d+) values planted, (\d+) found/m;

	cmp_ok($planted // 0, '>', 100, "$kind: values were planted");
	is($found, 0, "$kind: none was found where none may be");
}
my ($found, $planted) = $out =~ /^control: (\d+) of (\d+) values found/m;
cmp_ok($planted // 0, '>', 500, 'the control was planted');
cmp_ok($found // 0, '>=', 0.95 * ($planted // 1), 'and what was planted there is found');

# What is left is in the user's README, in the words of the sweep.
my $readme = slurp_file("$FindBin::RealBin/../../README.md");
my @titles = $out =~ /^  (\S[^[\n]*) \[[^]\n]+\]: \d+ values$/mg;
cmp_ok(scalar(@titles), '>=', 4, 'it lists what is left');
like($readme, qr/^\| \Q$_\E \|/m, "README lists: $_") for @titles;

done_testing();
