# Operations that cannot be applied: one whose application fails, one whose rejection fails as well, one that
# takes the worker down with it. Each costs itself alone.
use strict;
use warnings;

use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PawsNode->new_node('poison', 'paws_sync.apply_at_once' => 'off', 'paws_sync.pool_size' => 2, 'paws_sync.max_attempts' => 4);

new_subject($node, 'patient', 'premium');
my $phone = new_device($node, 'patient');
my $tablet = new_device($node, 'patient', 'web');

# What is in the list of poisons makes its application fail, or sleep until the worker is killed; or even the
# writing of its rejection fail. At the feed, since a document that a batch changes twice is written once.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE poison (op_id uuid PRIMARY KEY, effect text);
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	effect text := (SELECT p.effect FROM public.poison p WHERE p.op_id = NEW.op_id);
	applied bool := NEW.outcome = 5;
BEGIN
	IF effect = 'fails' AND applied OR effect = 'fails always' THEN
		RAISE EXCEPTION 'poisoned';
	ELSIF effect = 'sleeps' AND applied THEN
		PERFORM pg_sleep(600);
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER poison BEFORE INSERT ON paws_care.feed FOR EACH ROW EXECUTE FUNCTION poison();
SQL

sub poison
{
	my ($effect, $doc_id) = @_;
	my $op_id = new_uuid();

	$node->safe_psql('postgres', "INSERT INTO poison VALUES ('$op_id', '$effect')");
	return ($op_id, op_json('standard', op_id => $op_id, doc_id => $doc_id // new_uuid(), payload => 'poison'));
}

# Receipts of operations as a hash of "outcome code".
sub receipts
{
	my @op_ids = @_;
	my $list = join(', ', map { "'$_'" } @op_ids);
	my $rows = $node->safe_psql('postgres', "SELECT op_id, coalesce(outcome::text, 'none'), coalesce(code, '') "
		  . "FROM paws_sync.receipts('$phone', ARRAY[$list]::uuid[])");

	return map { my ($op_id, $outcome, $code) = split /\|/, $_, -1; $op_id => $code eq '' ? $outcome : "$outcome $code" }
	  split /\n/, $rows;
}

sub all_applied
{
	my @op_ids = @_;
	my %receipt = receipts(@op_ids);

	return scalar grep { $receipt{$_} ne 'applied' } @op_ids;
}

sub count_all
{
	my @outcomes = @_;
	return (grep { $_->{outcome} ne 'accepted' } @outcomes) + 0;
}

# 1. In the middle of a batch.
my ($bad, $bad_json) = poison('fails');
my $bad_doc = $bad_json =~ /"doc_id": "([^"]*)"/ ? $1 : '';
my @good = map { new_uuid() } 1 .. 20;
my @json = map { op_json('standard', op_id => $_) } @good;
my $follower = new_uuid();
splice @json, 10, 0, $bad_json;
push @json, op_json('standard', op_id => $follower, doc_id => $bad_doc, payload => 'follower');

is(count_all(paws_push($node, $phone, \@json)), 0, 'a batch with a poison is accepted');
wait_for_sql($node, 'an attempt to be counted',
	"SELECT EXISTS (SELECT FROM paws_queue.operation WHERE op_id = '$bad' AND attempts > 0) "
	  . "OR EXISTS (SELECT FROM paws_care.feed WHERE op_id = '$bad')");
wait_applied($node, "op_id NOT IN ('$bad', '$follower')");
is(all_applied(@good), 0, 'the others of the batch are applied');
wait_applied($node);
my %receipt = receipts($bad, $follower);
is($receipt{$bad}, 'rejected failed', 'the poison is rejected in the end');
is($receipt{$follower}, 'applied', 'what followed on its document is applied after that');
cmp_ok($node->safe_psql('postgres', 'SELECT sum(errors) FROM paws_sync.pg_stat_paws_sync_workers'),
	'>=', 4, 'each attempt is counted as an error');
my ($again) = paws_push($node, $phone, [$bad_json]);
is("$again->{outcome} $again->{receipt} $again->{code}", 'duplicate rejected failed', 'a repeat is told the same');
my ($rows) = paws_pull($node, $tablet);
is((grep { $_->{payload} eq 'poison' } @$rows) + 0, 0, 'other devices never see it');
is((grep { $_->{payload} eq 'follower' && $_->{revision} == 1 } @$rows) + 0, 1, 'but what followed');
ok(depths_agree($node), 'the depths are right');
is(depth_total($node), 0, 'nothing waits');

# 2. A poison with a long tail of followers, urgent, must not hold up what is less urgent.
$node->append_conf('postgresql.conf', "paws_sync.max_attempts = 100\npaws_sync.batch_size = 5\n");
$node->reload;
($bad, $bad_json) = poison('fails');
$bad_json =~ s/"standard"/"session"/;
$bad_doc = $bad_json =~ /"doc_id": "([^"]*)"/ ? $1 : '';
my @tail = map { new_uuid() } 1 .. 200;
is(count_all(paws_push($node, $phone,
			[ $bad_json, map { op_json('session', op_id => $_, doc_id => $bad_doc) } @tail ])),
	0, 'a poison with 200 operations behind it');
wait_for_sql($node, 'some attempts', "SELECT attempts >= 4 FROM paws_queue.operation WHERE op_id = '$bad'");
my @quiet = map { new_uuid() } 1 .. 20;
is(count_all(paws_push($node, $phone, [ map { op_json('background', op_id => $_) } @quiet ])), 0,
	'less urgent operations on other documents');
wait_for_sql($node, 'the less urgent to be applied, or the poison to be tried often',
	"SELECT count(*) FILTER (WHERE level = 1) = 0 OR max(attempts) >= 8 FROM paws_queue.operation");
is(all_applied(@quiet), 0, 'they are applied while the poison is still tried');
is($node->safe_psql('postgres', 'SELECT count(*) FROM paws_queue.operation'), 201,
	'nothing on the document has overtaken the poison');
$node->safe_psql('postgres', 'DELETE FROM poison');
wait_applied($node);
is(all_applied($bad, @tail), 0, 'when the cause is gone, all are applied');
is($node->safe_psql('postgres', "SELECT string_agg(op_id::text, ' ' ORDER BY position) FROM paws_care.feed WHERE doc_id = '$bad_doc'"),
	join(' ', $bad, @tail), 'in the order sent');

# 3. Even the rejection fails: it is put off and tried again; others go on.
$node->append_conf('postgresql.conf', "paws_sync.max_attempts = 2\npaws_sync.batch_size = 100\n");
$node->reload;
($bad, $bad_json) = poison('fails always');
@good = map { new_uuid() } 1 .. 5;
is(count_all(paws_push($node, $phone, [ $bad_json, map { op_json('standard', op_id => $_) } @good ])), 0,
	'a poison that cannot even be rejected');
wait_applied($node, "op_id <> '$bad'");
is(all_applied(@good), 0, 'the others are applied');
wait_for_sql($node, 'attempts beyond the most', "SELECT attempts > 2 FROM paws_queue.operation WHERE op_id = '$bad'");
ok(1, 'it is tried again, and each try is counted');
$node->safe_psql('postgres', 'DELETE FROM poison');
wait_applied($node);
%receipt = receipts($bad);
is($receipt{$bad}, 'rejected failed', 'it is rejected as soon as that can be written');
ok(depths_agree($node), 'the depths are right');

# 4. The worker dies of it. What it had recorded, and no more, counts an attempt and is tried singly.
$node->append_conf('postgresql.conf', "paws_sync.max_attempts = 3\npaws_sync.pool_size = 1\n");
$node->reload;
wait_workers($node);
my $crash_json;
($bad, $crash_json) = poison('sleeps');
@good = map { new_uuid() } 1 .. 5;

# Pid of the worker that sleeps over the poison, and what it had recorded.
my $asleep = "FROM pg_stat_activity WHERE backend_type = 'paws_sync pool' AND wait_event = 'PgSleep'";

sub kill_sleeper
{
	wait_for_sql($node, 'a worker to be at the poison', "SELECT count(*) = 1 $asleep");
	kill('KILL', $node->safe_psql('postgres', "SELECT pid $asleep"));
	return;
}

sub attempts
{
	return $node->safe_psql('postgres',
		"SELECT string_agg(attempts::text, ' ' ORDER BY id) FROM paws_queue.operation");
}

is(count_all(paws_push($node, $phone, [ $crash_json, map { op_json('standard', op_id => $_) } @good ])), 0,
	'a poison that takes its worker down');
wait_for_sql($node, 'a worker to be at the poison', "SELECT count(*) = 1 $asleep");
my $late = new_uuid();
is(count_all(paws_push($node, $phone, [ op_json('standard', op_id => $late) ])), 0, 'one more, later');
is(attempts(), '0 0 0 0 0 0 0', 'no attempt is counted yet');
is($node->safe_psql('postgres', 'SELECT max(cardinality(ids)) FROM paws_queue.inflight'), 6, 'six are being tried');
kill_sleeper();
wait_for_sql($node, 'the server to be back and at the poison', "SELECT count(*) = 1 $asleep");
is(attempts(), '1 1 1 1 1 1 0', 'after the crash the six count an attempt, the later one does not');
is($node->safe_psql('postgres', 'SELECT max(cardinality(ids)) FROM paws_queue.inflight'), 1, 'it is tried singly');
ok(depths_agree($node), 'the depths are right while it is tried again');
kill_sleeper();
wait_for_sql($node, 'the server to be back and at the poison', "SELECT count(*) = 1 $asleep");
is(attempts(), '2 1 1 1 1 1 0', 'the next crash counts for it alone');
kill_sleeper();
wait_applied($node);
%receipt = receipts($bad);
is($receipt{$bad}, 'rejected failed', 'after as many crashes as attempts are allowed it is rejected');
is(all_applied(@good, $late), 0, 'all others are applied');
is($node->safe_psql('postgres', "SELECT count(*) FROM paws_care.feed WHERE op_id = '$bad'"), 1, 'with one receipt');
ok(depths_agree($node), 'the depths are right');
is(depth_total($node), 0, 'nothing waits');

$node->stop;
done_testing();
