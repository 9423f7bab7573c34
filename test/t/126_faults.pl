# The fault matrix works: some of its rows with few operations. Times are judged by "make faults" alone.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

my @rows = qw(idle locks_all worker_term keyring_gone);
local $ENV{SMOKE} = 1;
delete local @ENV{qw(QUICK KEEP DIR SERVER_ROOT)};
my ($out, $err) = run_command([ 'bash', "$ENV{TESTDIR}/test/faults/run.sh", @rows ]);
like($out, qr/^$_ +\d+ +\d+ +0 +0 .*met/m, "$_: nothing lost, nothing twice") foreach @rows;
like($out, qr/^4 rows, 0 missed/m, 'every verdict is met') or diag("$out\n$err");
is(scalar(() = glob(($ENV{TMPDIR} // '/tmp') . '/paws_faults*')), 0, 'nothing is left');
done_testing();
