# Operations are not locked while they are applied; whoever changes or deletes one meanwhile costs the batch its commit, and
# never makes it applied twice, or not at all.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PawsProbe;
use PawsNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PawsNode->new_node('changed', 'paws_sync.apply_at_once' => 'off', 'paws_sync.pool_size' => 1);

new_subject($node, 'person', 'basic');
my $device = new_device($node, 'person');

sub sql
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

# Stops the worker in the middle of a batch of three, changes the second one in a transaction that stays open, and lets the
# worker go on. Returns the operations and the open session.
sub change
{
	my ($statement) = @_;

	my $gate = $node->background_psql('postgres');
	my $other = $node->background_psql('postgres');
	my $offset = -s $node->logfile;

	$gate->query_safe('BEGIN; LOCK TABLE paws_care.document IN SHARE MODE');
	my @pushed = paws_push($node, $device, [ map { op_json('standard', payload => "one $_") } 1 .. 3 ]);
	ok(until_sql($node, "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'paws_care.document'::regclass AND NOT granted)"),
		'the worker is in the middle');
	$other->query_safe("BEGIN; $statement WHERE op_id = '$pushed[1]{op_id}'");
	$gate->query_safe('COMMIT');
	$gate->quit;
	ok(until_log($offset, qr/an operation was changed while it was applied/), 'it gives way');
	return ($other, map { $_->{op_id} } @pushed);
}

sub until_log
{
	my ($offset, $pattern) = @_;

	for (1 .. 600)
	{
		return 1 if slurp_file($node->logfile, $offset) =~ $pattern;
		select(undef, undef, undef, 0.1);
	}
	return 0;
}

sub receipts
{
	my $ids = join ', ', map { "'$_'" } @_;
	return sql("SELECT string_agg(outcome::text, ' ' ORDER BY position) FROM paws_care.feed WHERE op_id IN ($ids)");
}

my ($other, @ids) = change('UPDATE paws_queue.operation SET due_at = due_at');
is(receipts(@ids), '', 'nothing of the batch is applied while one is being changed');
$other->query_safe('COMMIT');
wait_applied($node);
is(receipts(@ids), '5 5 5', 'changed: each is applied once');
$other->quit;

($other, @ids) = change('UPDATE paws_queue.operation SET due_at = due_at');
$other->query_safe('ROLLBACK');
wait_applied($node);
is(receipts(@ids), '5 5 5', 'not changed after all: each is applied once');
$other->quit;

($other, @ids) = change('DELETE FROM paws_queue.operation');
$other->query_safe('COMMIT');
ok(until_sql($node, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)'), 'the others leave the queue');
is(receipts(@ids), '5 5', 'deleted: the others are applied once, and it is not');
is(receipts($ids[1]), '', 'nor does anything say so');
$other->quit;

is(sql('SELECT count(*) = max(position) AND count(DISTINCT position) = count(*) FROM paws_care.feed'), 't', 'the feed has no gap');
is(sql('SELECT n.position = max(f.position) FROM paws_care.counter n JOIN paws_care.feed f USING (subject_no) GROUP BY n.position'), 't',
	'and the counter stands at its end');

# a position that was reserved for a repeat is taken back
pause_workers($node);
my ($done) = paws_push($node, $device, [ op_json('standard', payload => 'again') ]);
sql('CREATE TABLE kept AS SELECT * FROM paws_queue.operation');
resume_workers($node);
wait_applied($node);
pause_workers($node);
paws_push($node, $device, [ op_json('standard', payload => 'new') ]);
sql('INSERT INTO paws_queue.operation SELECT * FROM kept');
resume_workers($node);
ok(until_sql($node, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)'), 'a repeat leaves the queue');
is(receipts($done->{op_id}), '5', 'it is not applied again');
is(sql('SELECT count(*) = max(position) AND count(DISTINCT position) = count(*) FROM paws_care.feed'), 't', 'and leaves no gap');
is(sql('SELECT n.position = max(f.position) FROM paws_care.counter n JOIN paws_care.feed f USING (subject_no) GROUP BY n.position'), 't',
	'nor does the counter');

$node->stop;
done_testing();
