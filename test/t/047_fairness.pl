# One subject pushes 20,000 operations; who comes later at the same level takes turns with it, before a restart and after.
# And what fails, is lifted or crashes keeps its level and its place. Only the order of commits is asked, no clock.
use strict;
use warnings;

use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $FLOOD = 20_000;
my $BATCH = 50;

my $node = PawsNode->new_node('fairness', 'paws_sync.apply_at_once' => 'off', 'paws_sync.pool_size' => 2, 'paws_sync.batch_size' => $BATCH,
	'paws_sync.max_operations_per_call' => $FLOOD, 'paws_sync.max_attempts' => 100, 'track_commit_timestamp' => 'on');

$node->safe_psql('postgres', "SELECT paws_sync.set_tier_policy('trial', 1000000, 1000000, 1000000000, 1000000000)");
my $noisy = new_device($node, 'noisy');
my @quiet = map { new_device($node, "quiet $_") } 1 .. 4;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub flood
{
	my ($count) = @_;

	return sql(<<"SQL");
SELECT count(*) FROM (
	SELECT array_agg(gen_random_uuid()) AS op_ids, array_agg('standard'::text) AS collections, array_agg(gen_random_uuid()) AS doc_ids,
		array_agg(0::bigint) AS bases, array_agg('\\x68656c6c6f'::bytea) AS payloads
	FROM generate_series(1, $count)) o,
	paws_sync.push_many('$noisy', o.op_ids, o.collections, o.doc_ids, o.bases, o.payloads) p
WHERE p.outcome = 'accepted'
SQL
}

# How many of the noisy one were applied between the push and the last of a quiet one's ten.
sub passed
{
	my ($device) = @_;

	return sql(<<"SQL");
SELECT count(*) FROM (SELECT pg_xact_commit_timestamp(f.xmin) AS at FROM paws_care.feed f JOIN paws_registry.device d USING (device_no)
		WHERE d.device OPERATOR(paws_sync.=) '$noisy') n,
	(SELECT min(pg_xact_commit_timestamp(s.xmin)) AS first, max(pg_xact_commit_timestamp(f.xmin)) AS last
		FROM paws_care.feed f JOIN paws_registry.device d USING (device_no) JOIN sent s ON s.device = d.device::text
		WHERE d.device OPERATOR(paws_sync.=) '$device') q
WHERE n.at BETWEEN q.first AND q.last
SQL
}

# Ten operations, and with the same commit a row that remembers when.
sub push_ten
{
	my ($device, $collection) = @_;
	my $json = '[' . join(', ', map { op_json($collection // 'standard') } 1 .. 10) . ']';

	return sql("BEGIN; INSERT INTO sent VALUES ('$device'); "
		  . "SELECT count(*) FROM paws_sync.push('$device', '$json') WHERE outcome = 'accepted'; COMMIT");
}

sql('CREATE TABLE sent (device text)');
sql("SELECT paws_sync.pause_level('reduced')");
is(flood($FLOOD), $FLOOD, 'one subject floods the level');
is(push_ten($quiet[0]), 10, 'another one comes after it');
is(sql('SELECT string_agg((o.rank - f.rank)::text, \' \' ORDER BY o.id) FROM paws_queue.operation o, (SELECT min(rank) AS rank FROM paws_queue.operation) f '
	  . "WHERE o.device_no = (SELECT device_no FROM paws_registry.device WHERE device OPERATOR(paws_sync.=) '$quiet[0]')"),
	join(' ', 0 .. 9), 'its turns are the first ten');
is(depth_rows($node), $FLOOD + 10, 'a paused level is not served');
sql("SELECT paws_sync.resume_level('reduced')");

# In the midst of it: what two workers hold and choose may go before, and no more than a few batches.
wait_for_sql($node, 'some to be applied', "SELECT count(*) > $FLOOD / 20 FROM paws_care.feed");
is(push_ten($quiet[1]), 10, 'a third one comes in the midst of it');
wait_for_sql($node, 'the quiet ones', 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation o JOIN paws_registry.device d USING (device_no) '
	  . "WHERE d.device OPERATOR(paws_sync.<>) '$noisy')");
sql("SELECT paws_sync.pause_level('reduced')");
my $left = depth_rows($node);
cmp_ok($left, '>', $FLOOD / 4, "they are served while $left of the flood wait");
cmp_ok(passed($quiet[0]), '<', 10 * $BATCH, 'few of the flood went before the one that came after it: ' . passed($quiet[0]));
cmp_ok(passed($quiet[1]), '<', 10 * $BATCH, 'nor before the one in the midst: ' . passed($quiet[1]));

# After a crash a level goes on where it was. The flood's subject has its turns anew, but not on a document that waits.
my $document = new_uuid();
my $chain = sub {
	my ($from, $to) = @_;
	return [ map { op_json('standard', doc_id => $document, base_revision => $_, payload => "revision $_") } $from .. $to - 1 ];
};
my ($first) = paws_push($node, $noisy, $chain->(0, 100));
my $head = sql('SELECT min(rank) FROM paws_queue.operation');
$node->stop('immediate');
$node->start;
wait_for_sql($node, 'the queue to be counted', "SELECT state = 'ready' FROM paws_sync.status() WHERE component = 'queue'");
like(sql("SELECT detail FROM paws_sync.status() WHERE component = 'queue'"), qr/paused: reduced/, 'a pause outlives a crash');
is(push_ten($quiet[2]), 10, 'somebody comes after the crash');
cmp_ok(sql("SELECT min(rank) FROM paws_queue.operation WHERE device_no = (SELECT device_no FROM paws_registry.device WHERE device OPERATOR(paws_sync.=) '$quiet[2]')"),
	'>=', $head, 'not before what waits first');
paws_push($node, $noisy, $chain->(100, 250));
is(sql("SELECT min(rank) < (SELECT rank FROM paws_queue.operation WHERE op_id = '$first->{op_id}') FROM paws_queue.operation o "
	  . "WHERE o.doc_id = '$document'"), 't', 'the flood\'s subject is ranked before its own older ones');
sql("SELECT paws_sync.resume_level('reduced')");
wait_applied($node);
cmp_ok(passed($quiet[2]), '<', 10 * $BATCH, 'few of the flood went before it: ' . passed($quiet[2]));
is(sql("SELECT count(*) || ' ' || count(*) FILTER (WHERE outcome = 5) || ' ' || max(revision) FROM paws_care.feed WHERE doc_id = '$document'"),
	'250 250 250', 'and the changes of the document were applied in their order');
is(sql('SELECT count(*) FROM paws_care.feed'), $FLOOD + 30 + 250, 'everything was applied, once');
ok(depths_agree($node), 'the depths are right');

# What fails keeps its level and place; what was lifted keeps both levels.
sql(<<'SQL');
CREATE TABLE poison (op_id uuid);
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF EXISTS (SELECT FROM public.poison p WHERE p.op_id = NEW.op_id) THEN RAISE EXCEPTION 'poisoned'; END IF; RETURN NEW; END $$;
CREATE TRIGGER poison BEFORE INSERT ON paws_care.feed FOR EACH ROW EXECUTE FUNCTION poison();
SQL
sql("SELECT paws_sync.pause_level(level) FROM unnest('{2,3}'::paws_sync.level[]) AS level");
my ($failing, $low, $urgent) = map { new_uuid() } 1 .. 3;
my $other = new_uuid();
sql("INSERT INTO poison VALUES ('$failing'), ('$low')");
paws_push($node, $quiet[3], [ op_json('standard', op_id => $failing), op_json('bulk', op_id => $low, doc_id => $other) ]);
sql("SELECT paws_sync.set_policy('bulk', 'trial', 'reduced', 500)");
paws_push($node, $quiet[3], [ op_json('bulk', op_id => $urgent, doc_id => $other, base_revision => 1) ]);
my $places = "SELECT string_agg(level || ' ' || base_level || ' ' || rank, ', ' ORDER BY id) FROM paws_queue.operation WHERE op_id IN ('$failing', '$urgent')";
my $placed = sql($places);
sql('TRUNCATE paws_queue.paused_level');
wait_for_sql($node, 'attempts', "SELECT count(*) = 2 FROM paws_queue.operation WHERE op_id IN ('$failing', '$low') AND attempts >= 2");
is(sql($places), $placed, 'what failed twice is where it was');
is(sql("SELECT level || ' ' || base_level || ' ' || (rank = (SELECT rank FROM paws_queue.operation WHERE op_id = '$urgent')) FROM paws_queue.operation WHERE op_id = '$low'"),
	'3 2 true', 'what was lifted and failed stays lifted, and keeps its base level');
my $lifted = sql("SELECT level || ' ' || base_level || ' ' || rank FROM paws_queue.operation WHERE op_id = '$low'");
$node->stop('immediate');
$node->start;
wait_workers($node);
is(sql("SELECT level || ' ' || base_level || ' ' || rank FROM paws_queue.operation WHERE op_id = '$low'"), $lifted, 'after a crash too');
is(sql($places), $placed, 'and so does the other');
sql('TRUNCATE poison');
wait_applied($node);
is(sql("SELECT string_agg(outcome::text, ' ') FROM paws_sync.receipts('$quiet[3]', ARRAY['$failing', '$low', '$urgent']::uuid[])"),
	'applied applied applied', 'all are applied in the end');
is(depth_total($node), 0, 'nothing waits');
ok(depths_agree($node), 'and the depths are right');

$node->stop;
done_testing();
