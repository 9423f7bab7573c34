# Sealing with some of the keys missing, or with keys of another database: what needs them is refused and says which,
# everything else goes on, and what was written meanwhile is sealed as the rest once they are back.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $CRISIS = qr/"paws_sync.crisis_root"/;

my $node = PawsNode->new_node('missing', -no_extension => 1, 'paws_sync.crisis_root' => '');
my $keys = $node->basedir . '/keys';

sub rows
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# Starts anew, with other files of keys if there are some.
sub restart_with
{
	my ($crisis, $keyring) = @_;

	$node->stop;
	$node->adjust_conf('postgresql.conf', 'paws_sync.crisis_root', $crisis ? "'file:$crisis'" : "''");
	$node->adjust_conf('postgresql.conf', 'paws_sync.keyring_file', "'$keyring'");
	$node->start;
	return;
}

sub key_state
{
	my ($root) = @_;
	return rows("SELECT state FROM paws_sync.status() WHERE component = 'keys $root'");
}

# Suite, seal and revision of a crisis document.
sub stored
{
	my ($doc) = @_;
	return rows("SELECT to_hex(get_byte(envelope, 3)), length(seal), revision FROM paws_crisis.document WHERE doc_id = '$doc'");
}

sub payloads
{
	my ($device, $lane) = @_;
	my ($rows) = paws_pull($node, $device);

	return join(', ', sort map { $_->{kind} eq 'change' ? $_->{payload} : "$_->{kind} $_->{code}" } grep { $_->{lane} eq $lane } @$rows);
}

# A keyring from before there was a crisis root; then the one that is used.
system_or_bail('cp', "$keys/keyring", "$keys/keyring.care");
is(-s "$keys/keyring" == -s "$keys/keyring.care" ? 'copied' : '', 'copied', 'a keyring without a crisis secret');
restart_with("$keys/crisis.root", "$keys/keyring");
PawsNode::create_extension($node);
$node->safe_psql('postgres', "SELECT paws_sync.define_collection('simple', 'standard', sealing => 'standard')");
my $subject = new_subject($node, 'one');
my $phone = new_device($node, 'one');
my $tablet = new_device($node, 'one', 'web');
my ($plan, $signal, $mood, $note) = (new_uuid(), new_uuid(), new_uuid(), new_uuid());
paws_push($node, $phone, [
	op_json('safety', doc_id => $plan, payload => 'plan 1'), op_json('emergency', doc_id => $signal, payload => 'signal 1'),
	op_json('standard', doc_id => $mood, payload => 'layered 1'), op_json('simple', doc_id => $note, payload => 'simple 1') ]);
wait_applied($node);
is(stored($plan), '13|16|1', 'with keys a crisis document has two layers and a seal');

# Without the crisis root.
restart_with(undef, "$keys/keyring");
ok(has_workers($node, 'postgres', 2), 'the server starts without the crisis root');
is(key_state('crisis') . ' ' . key_state('care'), 'none ready', 'status() says so');
error_like($node, "SELECT paws_sync.register_device(paws_sync.subject_for('two'), 'ios')", '55000', $CRISIS, 'a new subject is refused, with a hint');
is(rows('SELECT count(*) FROM paws_registry.subject'), 1, 'and nothing of it is left');
like(new_device($node, 'one', 'android'), qr/^dev_/, 'a known subject gets devices');
error_like($node, "SELECT * FROM paws_sync.push('$phone', '[" . op_json('standard') . "]')", '55000', $CRISIS, 'a layered collection refuses, with a hint');
is(join(' ', map { "$_->{outcome} $_->{code}" } paws_push($node, $phone, [ op_json('standard'), op_json('simple', payload => 'simple 2'), op_json('safety', doc_id => $plan, base_revision => 1, payload => 'plan 2') ])),
	'limited keys_unavailable accepted  accepted ', 'in a push with crisis operations it alone is put off');
is(join(' ', map { $_->{outcome} } paws_push($node, $phone, [ op_json('simple', doc_id => $note, base_revision => 1, payload => 'simple 3') ])), 'accepted', 'others go on');
wait_applied($node);
is(payloads($tablet, 'ordinary'), 'simple 2, simple 3, unreadable sealed', 'they are read; what is layered comes sealed');
is(stored($plan), '3||2', 'a crisis document is sealed to the public key, without a seal');
is(rows("SELECT count(*) FROM paws_crisis.subject_key"), 1, 'the one that is there');
is(payloads($tablet, 'crisis'), 'unreadable sealed, unreadable sealed', 'and comes sealed');
my $keyless = rows("SELECT envelope FROM paws_crisis.document WHERE doc_id = '$plan'");
is(rows("SELECT paws_sync.define_collection('later', 'standard'); SELECT sealing FROM paws_sync.collections WHERE name = 'later'"), "\nlayered", 'collections can be defined');
my (undef, $cursor) = paws_pull($node, $phone);

# The keys are back: what was written without is readable, and gets what it lacks; nobody is told of it.
restart_with("$keys/crisis.root", "$keys/keyring");
is(payloads($tablet, 'crisis'), 'plan 2, signal 1', 'with the crisis root all is readable');
ok(until_sql($node, 'SELECT count(*) = 0 FROM paws_crisis.document WHERE seal IS NULL'), 'what had no seal gets one');
is(stored($plan), '13|16|2', 'and its outer layer, in the revision that it had');
is(payloads($tablet, 'crisis'), 'plan 2, signal 1', 'it is what it was');
is(payloads($tablet, 'ordinary'), 'layered 1, simple 2, simple 3', 'in the ordinary lane too');
is(rows("SELECT count(*) FROM paws_sync.pull('$phone', '$cursor')"), 0, 'no device hears of it');
is(rows("BEGIN; UPDATE paws_crisis.document SET seal = NULL WHERE doc_id = '$plan'; SELECT code FROM paws_sync.pull('$tablet') WHERE doc_id = '$plan'; ROLLBACK"),
	'envelope_rejected', 'a seal that is taken away then is missed');
ok(until_sql($node, "BEGIN; UPDATE paws_crisis.document SET seal = NULL, envelope = '$keyless' WHERE doc_id = '$plan'; SELECT code = 'envelope_rejected' FROM paws_sync.pull('$tablet') WHERE doc_id = '$plan'; ROLLBACK"),
	'what was written without keys is not taken any more, in its own place either');

# Many of them, one of a subject that somebody has locked, one broken: in the end all but the broken one.
restart_with(undef, "$keys/keyring");
my @many = map { op_json('emergency', payload => 'x' x 40_000) } 1 .. 60;
paws_push($node, $phone, \@many);
my $broken = new_uuid();
paws_push($node, $phone, [ op_json('safety', doc_id => $broken, payload => 'broken') ]);
rows("UPDATE paws_crisis.document SET envelope = set_byte(envelope, 200, get_byte(envelope, 200) # 1) WHERE doc_id = '$broken'");
$node->adjust_conf('postgresql.conf', 'paws_sync.databases', "''");
restart_with("$keys/crisis.root", "$keys/keyring");
my $holder = session($node);
$holder->query_safe('BEGIN; SELECT FROM paws_crisis.counter FOR UPDATE');
set_option($node, 'paws_sync.databases', "'postgres'");
ok(until_sql($node, "SELECT min(batches) > 3 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'"), 'turns go by');
is(rows('SELECT count(*) FROM paws_crisis.document WHERE seal IS NULL'), 61, 'a subject that is locked is left alone');
$holder->query_safe('ROLLBACK');
$holder->quit;
ok(until_sql($node, "SELECT array_agg(doc_id) = ARRAY['$broken'::uuid] FROM paws_crisis.document WHERE seal IS NULL"), 'and come back to');
is(rows("SELECT count(*) FROM paws_sync.pull('$tablet', NULL, 1000, 67108864) WHERE kind = 'change' AND length(payload) = 40000"), 60, 'all are readable');
rows("DELETE FROM paws_crisis.document WHERE doc_id = '$broken'");

# The keys of another database: the same secret of care, another one of the crisis root. Tokens are good, so nothing
# but the check tells. The crisis lane writes as it does without keys, and makes no new ones that would be lost.
system_or_bail('cp', "$keys/keyring.care", "$keys/keyring.other");
my $before = rows('SELECT key_id, version, kek_epoch, public_key FROM paws_crisis.subject_key');
restart_with("$keys/crisis.root", "$keys/keyring.other");
is(key_state('care') . ' ' . key_state('crisis'), 'ready wrong', 'status() tells that the crisis keys are another database\'s');
is(join(' ', map { "$_->{outcome} $_->{receipt}" } paws_push($node, $phone, [ op_json('safety', doc_id => $plan, base_revision => 2, payload => 'plan 3') ])), 'accepted applied', 'crisis goes on');
is(stored($plan), '3||3', 'sealed to the public key, without a seal');
is(rows('SELECT key_id, version, kek_epoch, public_key FROM paws_crisis.subject_key'), $before, 'the subject keeps its key');
is(rows("SELECT string_agg(DISTINCT kind || ' ' || code, ', ') FROM paws_sync.pull_crisis('$tablet')"), 'unreadable sealed', 'nothing is opened, nothing is called broken');
error_like($node, "SELECT * FROM paws_sync.push('$phone', '[" . op_json('standard') . "]')", '55000', $CRISIS, 'a layered collection refuses');
error_like($node, "SELECT paws_sync.register_device('$subject', 'ios')", '55000', $CRISIS, 'so does register_device');
ok(until_sql($node, "SELECT min(batches) > 3 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'"), 'turns go by');
is(stored($plan), '3||3', 'nothing is sealed with these keys');
restart_with("$keys/crisis.root", "$keys/keyring");
ok(until_sql($node, 'SELECT count(*) = 0 FROM paws_crisis.document WHERE seal IS NULL'), 'with the right ones again it is');
like(payloads($tablet, 'crisis'), qr/plan 3, signal 1/, 'and readable');

unlike(slurp_file($node->logfile), qr/a subject's crisis key does not open/, 'no key was replaced');
crash_free($node);
$node->stop;
done_testing();
