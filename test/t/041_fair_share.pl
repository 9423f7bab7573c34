# Two pool workers, a flood of urgent operations, and some of the lowest level that are overdue. Strict order
# alone would serve those last; the guaranteed share serves some of them all the time, and no more than some.
use strict;
use warnings;

use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $URGENT = 20_000;
my $LOW = 3_000;

# stored times are coarse: the order is that of the commits
my $node = PawsNode->new_node('fair_share', 'paws_sync.apply_at_once' => 'off', 'paws_sync.pool_size' => 2, 'paws_sync.batch_size' => 50,
	'track_commit_timestamp' => 'on');

$node->safe_psql('postgres', "SELECT paws_sync.set_tier_policy('trial', 1000000, 1000000, 1000000000, 1000000000)");

sub flood
{
	my ($who, $collection, $count) = @_;

	$node->safe_psql('postgres', <<"SQL");
SELECT count(*) FROM (
	SELECT array_agg(gen_random_uuid()) AS op_ids, array_agg('$collection'::text) AS collections, array_agg(gen_random_uuid()) AS doc_ids,
		array_agg(0::bigint) AS bases, array_agg('\\x68656c6c6f'::bytea) AS payloads
	FROM generate_series(1, $count)) o,
	paws_sync.push_many('$who', o.op_ids, o.collections, o.doc_ids, o.bases, o.payloads) p
WHERE p.outcome = 'accepted'
SQL
	return;
}

# In the order in which everything was finished: the low ones before the last urgent one; the urgent ones and all
# in the first half; the urgent ones after the first low one.
sub served
{
	my $text = $node->safe_psql('postgres', <<"SQL");
WITH f AS (SELECT collection = (SELECT collection_no FROM paws_registry.collection WHERE name = 'background') AS low,
		finished_at, row_number() OVER (ORDER BY finished_at) AS n
	FROM (SELECT collection, pg_xact_commit_timestamp(xmin) AS finished_at FROM paws_care.feed) c),
e AS (SELECT max(n) FILTER (WHERE NOT low) AS last, min(finished_at) FILTER (WHERE low) AS first_low FROM f)
SELECT count(*) FILTER (WHERE low AND n < last), count(*) FILTER (WHERE NOT low AND n < last / 2),
	count(*) FILTER (WHERE n < last / 2), count(*) FILTER (WHERE NOT low AND finished_at > first_low)
FROM f, e
SQL
	return split /\|/, $text;
}

# Each flood on subjects of its own, more than there are workers.
my @urgent = map { new_device($node, "urgent $_") } 1 .. 10;
my @low = map { new_device($node, "low $_") } 1 .. 10;

sub run
{
	my ($target_ms) = @_;

	$node->safe_psql('postgres', 'TRUNCATE paws_care.feed, paws_care.document, paws_queue.operation');
	$node->safe_psql('postgres', 'UPDATE paws_care.counter SET position = 0');
	$node->safe_psql('postgres', "SELECT paws_sync.set_policy('background', 'trial', 'background', $target_ms)");
	pause_workers($node);
	flood($_, 'background', $LOW / @low) foreach @low;
	flood($_, 'session', $URGENT / @urgent) foreach @urgent;
	is(depth_total($node), $LOW + $URGENT, "target $target_ms ms: the flood waits");
	resume_workers($node);
	wait_applied($node);
	return served();
}

my ($before, $urgent, $half) = run(1);
cmp_ok($before, '>', $LOW / 20, "overdue: $before of $LOW low ones were applied before the last of $URGENT urgent ones");
cmp_ok($urgent, '>', $half / 2, "overdue: urgent ones were $urgent of the first $half");
is(depth_total($node), 0, 'nothing waits');
ok(depths_agree($node), 'the depths are right');

# Not overdue, they come last: when the first of them is taken, no urgent one is left but of the subjects that the
# other worker holds, and fewer of these than a choice looks at: two batches, and the two that the other may hold.
my $after = (run(86_400_000))[3];
cmp_ok($after, '<=', 200, "not overdue: $after of $URGENT urgent ones came after the first low one");

$node->stop;
done_testing();
