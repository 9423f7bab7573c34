# Nothing depends on the session: every call may come on another connection, or on one that somebody else has
# used and reset, as behind a pooler in transaction mode.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('stateless');
my @pool = map { session($node) } 1 .. 3;
my $turn = 0;

# A statement on a fresh connection, or on one of a pool in turn, by the way that is being tested.
my %way = (
	'fresh connections' => sub { return $node->safe_psql('postgres', $_[0]) },
	'connections in turn' => sub { return $pool[ $turn++ % @pool ]->query_safe($_[0]) },
	'connections in turn, reset between' => sub {
		my $session = $pool[ $turn++ % @pool ];
		$session->query_safe('DISCARD ALL');
		my $answer = $session->query_safe($_[0]);
		$session->query_safe('DISCARD ALL');
		return $answer;
	},
	'transactions in turn' => sub {
		my $session = $pool[ $turn++ % @pool ];
		$session->query_safe('BEGIN');
		my $answer = $session->query_safe($_[0]);
		$session->query_safe('COMMIT');
		return $answer;
	});

foreach my $name (sort keys %way)
{
	my $run = $way{$name};
	my $subject = $run->("SELECT paws_sync.subject_for('$name')");
	$run->("SELECT paws_sync.set_entitlement('$subject', 'premium')");
	my $phone = $run->("SELECT paws_sync.register_device('$subject', 'ios')");
	my $tablet = $run->("SELECT paws_sync.register_device('$subject', 'web')");
	my $doc = new_uuid();
	my @got;
	my $cursor;

	foreach my $n (1 .. 12)
	{
		my $base = $n - 1;
		my $operation = op_json($n % 3 ? 'standard' : 'safety', payload => "$n", $n % 3 ? () : (doc_id => $doc, base_revision => int($n / 3) - 1));
		is($run->("SELECT outcome FROM paws_sync.push('$phone', '[$operation]')"), 'accepted', "$name: push $n");
		my $from = defined $cursor ? "'$cursor'" : 'NULL';
		my ($op_id) = $operation =~ /"op_id": "([^"]+)"/;
		within(60, sub { $run->("SELECT outcome FROM paws_sync.receipts('$phone', ARRAY['$op_id']::uuid[])") eq 'applied' });
		my $rows = $run->("SELECT \"cursor\", convert_from(payload, 'UTF8') FROM paws_sync.pull('$tablet', $from)");
		foreach (split /\n/, $rows)
		{
			($cursor, my $payload) = split /\|/;
			push @got, $payload;
		}
		$run->("SELECT paws_sync.ack('$tablet', '$cursor')") if $n % 4 == 0;
	}
	is("@got", join(' ', 1 .. 12), "$name: everything once and in order");
	is($run->("SELECT behind FROM paws_sync.sync_status('$subject') WHERE device::text = '$tablet'"), 0, "$name: nothing is left");
}

# A page goes on in another session from the cursor of any row.
my $device = new_device($node, 'pages');
new_subject($node, 'pages', 'premium');
my $reader = new_device($node, 'pages', 'web');
is($node->safe_psql('postgres', push_some($device, 30)), 30, 'many documents');
wait_applied($node);
my ($cursor, @ops) = ('');
while (1)
{
	my $from = $cursor eq '' ? 'NULL' : "'$cursor'";
	my $row = $node->safe_psql('postgres', "SELECT \"cursor\", op_id FROM paws_sync.pull('$reader', $from, 7) LIMIT 1");
	last if $row eq '';
	($cursor, my $op) = split /\|/, $row;
	push @ops, $op;
}
my %seen = map { $_ => 1 } @ops;
is(@ops . ' ' . keys %seen, '30 30', 'read one by one on thirty connections, each once');

# What a caller sets for itself changes nothing.
is($node->safe_psql('postgres', <<"SQL"), '1|hello', 'settings of the session change no answer');
SET search_path = pg_temp; SET enable_indexscan = off; SET enable_bitmapscan = off; SET plan_cache_mode = force_custom_plan;
SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'sql_standard'; SET bytea_output = 'escape';
SET extra_float_digits = -5; SET standard_conforming_strings = on; SET row_security = off; SET work_mem = '64kB';
SELECT count(*), max(convert_from(payload, 'UTF8')) FROM paws_sync.pull('$reader', NULL, 1);
SQL
$_->quit foreach @pool;
crash_free($node);
$node->stop;
done_testing();
