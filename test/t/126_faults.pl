# The fault matrix works: its check finds what is lost and what is there twice, and some of its rows run with few operations.
# Times are judged by "make faults" alone.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;

my $faults = "$ENV{TESTDIR}/test/faults";
my $tmp = $PostgreSQL::Test::Utils::tmp_check;
my $node = PawsNode->new_node('check');
sub rows { return $node->safe_psql('postgres', shift) }

# The load, and its check after somebody was at the tables.
my ($include) = run_command([ $ENV{PG_CONFIG}, '--includedir' ]);
my ($libdir) = run_command([ $ENV{PG_CONFIG}, '--libdir' ]);
my @sources = map { "$faults/crisis_$_.c" } qw(load sessions check);
system_or_bail('gcc', '-std=gnu11', '-O1', '-pthread', "-I$include", '-o', "$tmp/crisis_load", @sources, "-L$libdir", '-lpq');
rows("SELECT paws_sync.define_collection('faults_safety', 'safety')");
append_to_file("$tmp/subjects", join(' ', map { new_device($node, $_->[0]) } ([$_], [$_], [$_])) . "\n") foreach map { new_subject($node, $_); $_ } qw(one two);

sub crisis_load
{
	my ($out, $err) = run_command([ "$tmp/crisis_load", $node->connstr('postgres'), "subjects=$tmp/subjects", "log=$tmp/operations", @_ ]);
	is($err, '', "crisis_load @_ says nothing else");
	return { map { split ' ', $_, 2 } split /\n/, $out };
}

sub finds
{
	my ($lost, $duplicated, $what) = @_;
	my $found = crisis_load('check=1');
	is("$found->{lost} $found->{duplicated}", "$lost $duplicated", $what);
	return;
}

my $sent = crisis_load('pushers=4', 'operations=100', 'rate=0', 'probe=1');
is(join(' ', @$sent{qw(sent acknowledged refused unseen told_twice not_applied)}), '100 100 0 0 0 0', 'all are acknowledged and seen');
like($sent->{bundles}, qr/^[1-9]\d* 0 /, 'bundles are told beside them');
finds(0, 0, 'all are there, once');
my @ids = split /\n/, rows("SELECT op_id FROM paws_crisis.document ORDER BY op_id LIMIT 5");
rows("DELETE FROM paws_crisis.document WHERE op_id = '$ids[0]'");
finds(1, 0, 'a document that is gone is lost');
rows("DELETE FROM paws_crisis.feed WHERE op_id = '$ids[1]'");
finds(2, 0, 'so is one whose receipt is gone');
rows("UPDATE paws_crisis.document SET envelope = set_byte(envelope, 60, get_byte(envelope, 60) # 1) WHERE op_id = '$ids[2]'");
finds(3, 0, 'and one that does not open');
rows("INSERT INTO paws_crisis.feed SELECT subject_no, position + 1000, device_no + 1, revision, finished_at, op_id, doc_id, collection, outcome, reason, deleted FROM paws_crisis.feed WHERE op_id = '$ids[3]'");
finds(3, 1, 'an operation with two entries is there twice');
rows("UPDATE paws_crisis.feed SET outcome = 2 WHERE op_id = '$ids[4]'");
finds(4, 1, 'one whose receipt says something else is lost');
$node->stop;

my @rows = qw(idle locks_all worker_term keyring_gone);
local $ENV{SMOKE} = 1;
delete local @ENV{qw(QUICK KEEP DIR SERVER_ROOT)};
my ($out, $err) = run_command([ 'bash', "$faults/run.sh", @rows ]);
like($out, qr/^$_ +\d+ +\d+ +0 +0 .*met/m, "$_: nothing lost, nothing twice") foreach @rows;
like($out, qr/^4 rows, 0 missed/m, 'every verdict is met') or diag("$out\n$err");
is(scalar(() = glob(($ENV{TMPDIR} // '/tmp') . '/paws_faults*')), 0, 'nothing is left');
done_testing();
