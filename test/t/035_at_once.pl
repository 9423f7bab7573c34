# What nothing in the queue is before is applied by its push, with the push's commit. Whatever is in the way has it queued as
# ever: nobody waits, nothing overtakes, nothing is applied twice, and what fails costs itself alone.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PawsNode->new_node('at_once', 'paws_sync.pool_size' => 2, 'paws_sync.max_attempts' => 2);

new_subject($node, 'person', 'premium');
my $device = new_device($node, 'person');
my $other = new_device($node, 'person');

sub sql
{
	my ($query) = @_;
	return $node->safe_psql('postgres', $query);
}

# Batches that came to something: an operation that the pool applied is in one of them.
sub by_pool { return sql("SELECT sum(operations) FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'pool'"); }
sub waiting { return sql('SELECT count(*) FROM paws_queue.operation'); }

sub receipts
{
	my $ids = join ', ', map { "'$_'" } @_;
	return sql("SELECT string_agg(outcome || ':' || revision, ' ' ORDER BY position) FROM paws_care.feed WHERE op_id IN ($ids)");
}

sub whole
{
	my ($name) = @_;
	is(sql('SELECT bool_and(good) FROM (SELECT count(*) = max(position) AND count(DISTINCT position) = count(*) AND count(DISTINCT (device_no, op_id)) = count(*) '
			  . 'AND max(position) = (SELECT n.position FROM paws_care.counter n WHERE n.subject_no = f.subject_no) AS good '
			  . 'FROM paws_care.feed f GROUP BY subject_no) feeds'), 't', "$name: the feed has no gap, and ends where its counter stands");
	return;
}

# Pushes in one way, and says whether the pool had to apply it.
sub is_queued
{
	my ($name, $push) = @_;
	my $before = by_pool();
	my @ids = $push->();

	wait_applied($node);
	wait_for_sql($node, 'the worker to say so', "SELECT sum(operations) = $before + @{[scalar @ids]} FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'pool'");
	is(by_pool() - $before, scalar @ids, "$name: it goes through the queue");
	return;
}

# ---- the plain way

my ($one) = paws_push($node, $device, [ op_json('interactive') ]);
is($one->{outcome}, 'accepted', 'a push is accepted');
is(receipts($one->{op_id}), '5:1', 'and applied when it returns');
my @set = paws_push($node, $device, [ map { op_json('bulk') } 1 .. 300 ]);
is(scalar(grep { $_->{outcome} eq 'accepted' } @set), 300, 'a large set is accepted');
is(sql("SELECT count(*) FROM paws_care.feed WHERE revision = 1"), 301, 'and applied when it returns');
is(by_pool(), 0, 'no worker had to do with it');
my ($rows) = paws_pull($node, $other);
is(scalar(grep { $_->{kind} eq 'change' && $_->{payload} eq 'hello' } @$rows), 301, 'another device has it all');
ok(depths_agree($node), 'the depths are right');
is(sql("SELECT sum(count) FROM paws_sync.pg_stat_paws_sync_latency"), 301, 'their latencies are told');
whole('new documents');

# Who waits for the subject is woken by the commit of the push.
my (undef, $cursor) = paws_pull($node, $other);
my $waiter = $node->background_psql('postgres');
$waiter->query_until(qr/begun/, "\\echo begun\nSELECT count(*) FROM paws_sync.pull_wait('$other', '$cursor', '50 s') \\g $PostgreSQL::Test::Utils::tmp_check/035_told\n\\echo told\n");
wait_for_sql($node, 'the device to wait', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Extension' AND query LIKE '%pull_wait%' AND pid <> pg_backend_pid()");
paws_push($node, $device, [ op_json('interactive') ]);
$waiter->query_until(qr/told/, '');
is(slurp_file("$PostgreSQL::Test::Utils::tmp_check/035_told"), "1\n", 'who waits is told');
$waiter->quit;

# ---- documents that are there, and repeats

my ($first) = paws_push($node, $device, [ op_json('standard', doc_id => $one->{op_id}) ]);
is(receipts($first->{op_id}), '5:1', 'a document');
my $document = $one->{op_id};
my ($second) = paws_push($node, $device, [ op_json('standard', doc_id => $document) ]);
is(receipts($second->{op_id}), '5:2', 'what is there already becomes the next revision, with no revision told');
my @mixed = paws_push($node, $device, [ op_json('standard'), op_json('standard', doc_id => $document), op_json('standard') ]);
is(receipts(map { $_->{op_id} } @mixed), '5:1 5:3 5:1', 'also between new ones, in their order');
my $twice = new_uuid();
my @same = paws_push($node, $device, [ map { op_json('standard', doc_id => $twice) } 1 .. 3 ]);
is(receipts(map { $_->{op_id} } @same), '5:1 5:2 5:3', 'a document that is made and changed by one call');
whole('documents that were there');
my @again = paws_push($node, $device, [ map { op_json('bulk', op_id => $_->{op_id}) } @set ]);
is(join(' ', map { "$_->{outcome}:$_->{receipt}:$_->{revision}" } @again[ 0, 299 ]), 'duplicate:applied:1 duplicate:applied:1', 'a set a second time');
for my $round (1 .. 3)
{
	my @part = paws_push($node, $device, [ op_json('bulk'), op_json('bulk', op_id => $set[ $round ]{op_id}), op_json('bulk') ]);
	is(join(' ', map { "$_->{outcome}:$_->{receipt}" } @part), 'accepted: duplicate:applied accepted:', "a repeat among new ones, time $round");
	is(receipts($part[0]{op_id}, $part[2]{op_id}), '5:1 5:1', 'costs the others nothing');
}
my ($deleted) = paws_push($node, $device, [ op_json('standard', doc_id => $document, base_revision => 3, deleted => 1) ]);
is(receipts($deleted->{op_id}), '5:4', 'a deletion');
my ($branch) = paws_push($node, $device, [ op_json('bulk', doc_id => sql("SELECT doc_id FROM paws_care.feed WHERE op_id = '$set[0]{op_id}'")) ]);
is(sql("SELECT count(*) FROM paws_care.branch"), 1, 'a conflict is kept beside');
whole('repeats');
is(by_pool(), 0, 'no worker had to do with any of it');

# ---- what has it queued

is_queued('in a transaction of its own', sub {
	my $id = new_uuid();
	is(sql("BEGIN; SELECT outcome FROM paws_sync.push('$device', '[@{[op_json('bulk', op_id => $id)]}]'); SELECT count(*) FROM paws_queue.operation; COMMIT"),
		"accepted\n1", 'in a transaction of its own it waits there');
	return $id;
});
is_queued('with one snapshot for the transaction', sub {
	my $id = new_uuid();
	local $ENV{PGOPTIONS} = '-c default_transaction_isolation=repeatable\ read';
	return map { $_->{op_id} } paws_push($node, $device, [ op_json('bulk', op_id => $id) ]);
});
is_queued('for a second subject in one statement', sub {
	my $id = new_uuid();
	my $stranger = new_device($node, 'stranger');
	sql("SELECT count(*) FROM (VALUES (1, '$device', '" . op_json('bulk') . "'), (2, '$stranger', '" . op_json('bulk', op_id => $id) . "')) v (n, d, o), "
		  . "paws_sync.push(v.d::paws_sync.device, jsonb_build_array(v.o::jsonb)) p");
	return $id;
});
is_queued('more than a batch', sub {
	return map { $_->{op_id} } paws_push($node, $device, [ map { op_json('bulk') } 1 .. 1001 ]);
});
is_queued('beside a crisis operation', sub {
	my @both = paws_push($node, $device, [ op_json('safety'), op_json('bulk') ]);
	return $both[1]{op_id};
});
is_queued('where it is switched off', sub {
	local $ENV{PGOPTIONS} = '-c paws_sync.apply_at_once=off';
	return map { $_->{op_id} } paws_push($node, $device, [ op_json('bulk') ]);
});
is_queued('with a trigger in the way', sub {
	sql('CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; '
		  . 'CREATE TRIGGER quiet BEFORE INSERT ON paws_care.document FOR EACH ROW EXECUTE FUNCTION quiet()');
	my @ids = map { $_->{op_id} } paws_push($node, $device, [ op_json('bulk') ]);
	wait_applied($node);
	sql('DROP TRIGGER quiet ON paws_care.document');
	return @ids;
});

# Its level is paused: it waits, and what is above it does not.
sql("SELECT paws_sync.pause_level('bulk')");
my ($paused) = paws_push($node, $device, [ op_json('bulk') ]);
my ($above) = paws_push($node, $device, [ op_json('interactive') ]);
is(receipts($paused->{op_id}), '', 'what is paused waits');
is(receipts($above->{op_id}), '5:1', 'what is above it is applied');
sql("SELECT paws_sync.resume_level('bulk')");
wait_applied($node);
is(receipts($paused->{op_id}), '5:1', 'until it is resumed');

# Somebody holds the subject, or a table: no push waits for that.
my $holder = hold_subjects($node);
my $waits = new_uuid();
my ($behind) = paws_push($node, $device, [ op_json('interactive', doc_id => $waits) ]);
is($behind->{outcome}, 'accepted', 'a push does not wait for its subject');
is(receipts($behind->{op_id}), '', 'but for its turn');
release_subjects($node, $holder);
my ($next) = paws_push($node, $device, [ op_json('interactive', doc_id => $waits, base_revision => 1) ]);
wait_applied($node);
is(receipts($behind->{op_id}, $next->{op_id}), '5:1 5:2', 'and what comes after it follows it');
# Much waits: what comes to that level or a lower one waits behind it, what is above it does not.
$holder = hold_subjects($node);
my $lucky = new_device($node, 'lucky');
my @much = map { map { $_->{op_id} } paws_push($node, $device, [ map { op_json('interactive') } 1 .. 1000 ]) } 1 .. 3;
is(waiting(), 3000, 'much waits');
my $before = by_pool();
paws_push($node, $lucky, [ op_json('control') ]);
is(by_pool(), $before, 'what is above it is applied at once');
is(waiting(), 3000, 'and does not wait');
my @low = map { (paws_push($node, $lucky, [ op_json($_) ]))[0]{op_id} } qw(interactive background);
wait_applied($node, "op_id IN ('$low[0]', '$low[1]')");
wait_for_sql($node, 'the worker to say so', "SELECT sum(operations) = $before + 2 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'pool'");
is(by_pool() - $before, 2, 'what comes to it or below goes through the queue');
release_subjects($node, $holder);
wait_applied($node);
is(sql("SELECT count(*) FROM paws_care.feed WHERE op_id = ANY ('{" . join(',', @much) . "}') AND outcome = 5 AND revision = 1"), 3000, 'all of it is applied');

for my $table (qw(document feed counter))
{
	my $gate = $node->background_psql('postgres');
	$gate->query_safe("BEGIN; LOCK TABLE paws_care.$table IN SHARE MODE");
	my ($beside) = paws_push($node, $device, [ op_json('interactive') ]);
	is($beside->{outcome}, 'accepted', "a push does not wait for a new index on $table");
	$gate->query_safe('COMMIT');
	$gate->quit;
	wait_applied($node);
	is(receipts($beside->{op_id}), '5:1', 'it is applied later');
}

# No worker is there.
pause_workers($node);
my ($alone) = paws_push($node, $device, [ op_json('interactive') ]);
is(waiting(), 1, 'where nobody serves the database all is queued');
resume_workers($node);
wait_applied($node);
is(receipts($alone->{op_id}), '5:1', 'and applied when somebody does');
whole('what was queued');

# ---- an error

my $poison = new_uuid();
sql("CREATE INDEX bad ON paws_care.document ((1 / (CASE doc_id WHEN '$poison' THEN 0 ELSE 1 END)))");
my @three = (op_json('interactive'), op_json('interactive', doc_id => $poison), op_json('interactive'));
my @ids = map { /"op_id": "([^"]+)"/ } @three;
my ($status, undef, $error) = $node->psql('postgres', "SELECT outcome FROM paws_sync.push('$device', '[@{[join ', ', @three]}]')");
isnt($status, 0, 'what fails tells the caller');
like($error, qr/division by zero/, 'with the error');
is(receipts(@ids), '', 'nothing of it is there');
my @repeated = paws_push($node, $device, \@three);
is(join(' ', map { $_->{outcome} } @repeated), 'accepted accepted accepted', 'a repetition is taken');
wait_applied($node);
is(receipts($ids[0], $ids[2]), '5:1 5:1', 'the pool applies the others');
like(receipts($ids[1]), qr/^4:0$/, 'and rejects the one');
sql('DROP INDEX paws_care.bad');
whole('the error');

# ---- many at once, and the end of a server amid them

my $many = "$PostgreSQL::Test::Utils::tmp_check/035_many.sql";
append_to_file($many, "SET synchronous_commit = off;\n" . join("\n", map {
	"SELECT op_id FROM paws_sync.push('" . ($_ % 2 ? $device : $other) . "', jsonb_build_array(jsonb_build_object('op_id', gen_random_uuid(), "
	  . "'collection', 'bench', 'doc_id', '00000000-0000-4000-8000-00000000000' || ($_ % 7), 'base_revision', 0, 'payload', 'aGVsbG8='))) WHERE outcome = 'accepted';" =~ s/bench/interactive/r
} 1 .. 4000) . "\n");
my $there = sql('SELECT count(*) FROM paws_care.feed');
my @sessions = map { start_psql($node, $many, "$many.$_.out", "$many.$_.err") } 1 .. 4;
wait_for_sql($node, 'some of them', "SELECT count(*) > $there + 600 FROM paws_care.feed");
kill_postmaster($node, sub { waitpid($_, 0) for @sessions; });
wait_workers($node);
wait_applied($node);
my @acknowledged = map { grep { /^[0-9a-f-]{36}$/ } split /\n/, slurp_file("$many.$_.out") } 1 .. 4;
cmp_ok(scalar @acknowledged, '>', 100, 'pushes were acknowledged');
sql('CREATE TABLE acknowledged (op_id uuid)');
append_to_file("$many.copy", join('', map { "$_\n" } @acknowledged));
sql("COPY acknowledged FROM '$many.copy'");
is(sql('SELECT count(*) FROM acknowledged a WHERE NOT EXISTS (SELECT FROM paws_care.feed f WHERE f.op_id = a.op_id)'), 0,
	'each of them has its receipt after the crash');
whole('the crash');
is(sql('SELECT count(*) FROM (SELECT doc_id, max(revision) AS last, count(*) FROM paws_care.feed GROUP BY doc_id HAVING bool_and(outcome = 5) '
		  . 'AND max(revision) <> count(*)) bad'), 0, 'each revision was made once');

$node->stop;
done_testing();
