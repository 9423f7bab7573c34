# 300,000 background operations wait and the pool is saturated. What a premium subject does at the screen is
# applied with only a small part of the backlog passing it, and the backlog moves all the while. No clock is
# asked how fast anything was, only what came before what. Stored times are coarse: those of the commits are asked.
use strict;
use warnings;

use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $BACKLOG = 300_000;
my $SUBJECTS = 40;
my $INTERACTIVE = 40;

my $node = PawsNode->new_node('backlog', 'paws_sync.apply_at_once' => 'off', 'paws_sync.max_operations_per_call' => 20000,
	'paws_sync.pool_size' => 2, 'track_commit_timestamp' => 'on');

$node->safe_psql('postgres', "SELECT paws_sync.set_tier_policy('$_', 1000000, 1000000, 1000000000, 1000000000)")
  foreach qw(premium trial);

# The workers are away while the backlog is made.
pause_workers($node);
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE bulk AS SELECT n, paws_sync.register_device(paws_sync.subject_for('bulk ' || n), 'server') AS device
FROM generate_series(1, $SUBJECTS) n;
CREATE TABLE sent (op_id uuid, sent_at timestamptz);
SELECT count(*) FROM bulk b, LATERAL (
	SELECT array_agg(gen_random_uuid()) AS op_ids, array_agg('background'::text) AS collections, array_agg(gen_random_uuid()) AS doc_ids,
		array_agg(0::bigint) AS bases, array_agg('\\x68656c6c6f'::bytea) AS payloads
	FROM generate_series(1, $BACKLOG / $SUBJECTS) WHERE b.n > 0) o,
	paws_sync.push_many(b.device, o.op_ids, o.collections, o.doc_ids, o.bases, o.payloads) p;
SQL
is(depth_rows($node), $BACKLOG, 'the backlog waits');
is(depth_total($node), $BACKLOG, 'and is counted');

# It is counted anew after a crash, before anybody works on it.
$node->stop('immediate');
$node->start;
my $hold = hold_subjects($node);
resume_workers($node);
wait_for_sql($node, 'the backlog to be counted',
	"SELECT state = 'ready' FROM paws_sync.status() WHERE component = 'queue'", 'SELECT detail FROM paws_sync.status()');
is(depth_total($node), $BACKLOG, 'and is counted again after a crash');
ok(depths_agree($node), 'at its level');
release_subjects($node, $hold);

new_subject($node, 'patient', 'premium');
my $phone = new_device($node, 'patient');
my $tablet = new_device($node, 'patient', 'web');
my $background = '(SELECT count(*) FROM paws_care.feed f WHERE f.device_no IN '
  . '(SELECT device_no FROM paws_registry.device d WHERE d.platform = 6))';
my $platform = $node->safe_psql('postgres', "SELECT DISTINCT platform FROM paws_registry.device d JOIN bulk b ON b.device OPERATOR(paws_sync.=) d.device");
is($platform, 6, 'devices of the backlog are servers');

wait_for_sql($node, 'the backlog to move', "SELECT $background > 1000");
foreach my $n (1 .. $INTERACTIVE)
{
	my $op_id = new_uuid();
	my $operation = op_json('interactive', op_id => $op_id);

	$node->safe_psql('postgres', "INSERT INTO sent VALUES ('$op_id', clock_timestamp()); "
		  . "SELECT outcome FROM paws_sync.push('$phone', '[$operation]')");
}
wait_applied($node, 'level = 6');

# The workers are taken away at once, so that what is left can be counted.
pause_workers($node);
my $left = depth_rows($node);
note("$left operations left");
cmp_ok($left, '>', 0, 'all interactive operations are applied while background operations still wait');
ok(depths_agree($node), 'and they are counted');
my $passed = $node->safe_psql('postgres', <<"SQL");
SELECT max(passed) FROM (SELECT (SELECT count(*) FROM paws_care.feed b WHERE b.device_no <> f.device_no
	AND pg_xact_commit_timestamp(b.xmin) BETWEEN s.sent_at AND pg_xact_commit_timestamp(f.xmin)) AS passed
	FROM sent s JOIN paws_care.feed f USING (op_id)) x
SQL
is($node->safe_psql('postgres', 'SELECT count(*) FROM sent s JOIN paws_care.feed f USING (op_id) WHERE f.outcome = 5'),
	$INTERACTIVE, 'each was applied');
cmp_ok($passed, '<', $BACKLOG / 10, "at most $passed of the $BACKLOG passed any of them");
my $between = $node->safe_psql('postgres', <<'SQL');
SELECT count(*) FROM paws_care.feed b, (SELECT min(s.sent_at) AS first, max(pg_xact_commit_timestamp(f.xmin)) AS last
	FROM sent s JOIN paws_care.feed f USING (op_id)) i
WHERE pg_xact_commit_timestamp(b.xmin) BETWEEN i.first AND i.last AND b.op_id NOT IN (SELECT op_id FROM sent)
SQL
cmp_ok($between, '>', 0, "the backlog moved meanwhile, by $between");
my ($rows) = paws_pull($node, $tablet);
is(scalar @$rows, $INTERACTIVE, 'the other device has them all');

# And it is worked off.
resume_workers($node);
wait_for_sql($node, 'the backlog to become less', "SELECT count(*) <= $left / 2 FROM paws_queue.operation");
ok(1, 'the backlog is worked off');

$node->stop('immediate');
done_testing();
