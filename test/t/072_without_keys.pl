# A server that starts without its keys: what is ordinary refuses and says why. What a person in a crisis needs
# goes on: devices are known by their whole token, writes are taken, reads are handed out sealed, hotlines are told.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $HINT = qr/"paws_sync.care_root"/;

my $node = PawsNode->new_node('without');
my $keys = $node->basedir . '/keys';
my $subject = new_subject($node, 'one');
my $phone = new_device($node, 'one');
my $tablet = new_device($node, 'one', 'web');
my $watch = new_device($node, 'one', 'wearable');
my $lost = new_device($node, 'one', 'android');
$node->safe_psql('postgres', "SELECT paws_sync.revoke_device('$lost')");
my $plan = new_uuid();
my @first = (
	op_json('safety', doc_id => $plan, payload => 'call Sam'),
	op_json('emergency', payload => 'help'),
	op_json('standard', payload => 'calm'));
paws_push($node, $phone, \@first);
wait_applied($node);
my (undef, $start) = paws_pull($node, $tablet);
my $second = op_json('safety', doc_id => $plan, base_revision => 1, payload => 'call Kim');
paws_push($node, $phone, [$second]);

# Starts anew with these of the roots, and no others.
sub restart_with
{
	my (@roots) = @_;
	my %given = map { $_ => 1 } @roots;

	$node->stop;
	$node->adjust_conf('postgresql.conf', "paws_sync.${_}_root", $given{$_} ? "'file:$keys/$_.root'" : "''") foreach qw(care crisis billing);
	$node->start;
	return;
}

sub key_states
{
	return rows("SELECT string_agg(component || ' ' || state, ', ' ORDER BY component) FROM paws_sync.status() WHERE component IN ('keys care', 'keys crisis')");
}

# The suites of documents of these ids.
sub suites
{
	my (@docs) = @_;
	return rows("SELECT string_agg(to_hex(get_byte(envelope, 3)), ' ' ORDER BY changed_at) FROM paws_crisis.document WHERE doc_id IN ('" . join("', '", @docs) . "')");
}

sub rows
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# Device tokens that differ from a good one in a bit of each byte, checksums right: what could be made without a key.
sub forged
{
	my ($token) = @_;
	my ($out, $err);
	my $script = <<'PYTHON';
import base64, hashlib, sys
stored = base64.urlsafe_b64decode(sys.argv[1][4:])[:25]
for i in range(25):
    other = bytearray(stored)
    other[i] ^= 1 << (i % 8)
    check = hashlib.blake2b(b"paws_sync token checksum v1" + b"d" + other, digest_size=32).digest()[:5]
    print("dev_" + base64.urlsafe_b64encode(bytes(other) + check).decode())
PYTHON

	run_log([ '/usr/bin/python3', '-c', $script, $token ], '>', \$out, '2>', \$err) or die $err;
	return split /\n/, $out;
}

my @forged = forged($tablet);
my %crisis = (
	push_crisis => "paws_sync.push_crisis('%s', '[]')",
	pull_crisis => "paws_sync.pull_crisis('%s')",
	crisis_bundle => "paws_sync.crisis_bundle('%s')");

# With keys a forged token is refused by its MAC.
is(scalar @forged, 25, 'forged tokens');
is(rows("SELECT count(DISTINCT f) FROM unnest('{" . join(',', @forged, $tablet) . "}'::paws_sync.device[]) f(f)"), 26, 'they are well-formed');
error_like($node, "SELECT * FROM " . sprintf($crisis{$_}, $forged[20]), 'PW001', undef, "$_ refuses one by its MAC") foreach sort keys %crisis;

restart_with();
is(key_states(), 'keys care none, keys crisis none', 'status() says that there are no keys');
ok(has_workers($node, 'postgres', 2), 'workers are there');

# Without, by the registry, which looks at all of it.
foreach my $name (sort keys %crisis)
{
	my @answers = map { error_of($node, 'SELECT * FROM ' . sprintf($crisis{$name}, $_))->{sqlstate} } @forged;
	is(join(' ', @answers), join(' ', ('PW002') x 25), "$name knows no token with any byte changed");
	error_like($node, 'SELECT * FROM ' . sprintf($crisis{$name}, $subject), '22P02', undef, 'nor one of another kind');
	(my $null = $crisis{$name}) =~ s/'%s'/NULL/;
	error_like($node, "SELECT * FROM $null", '22004', undef, 'nor none');
}

# Reading: sealed, and the cursor moves through the page.
is(rows("SELECT lane, kind, collection, code, encode(payload, 'escape') ~ 'call|help' FROM paws_sync.pull_crisis('$tablet') ORDER BY collection"),
	"crisis|unreadable|emergency|sealed|f\ncrisis|unreadable|safety|sealed|f", 'pull_crisis hands out envelopes');
is(rows("SELECT count(*) FROM paws_sync.pull_crisis('$tablet') p JOIN paws_crisis.document d ON d.doc_id = p.doc_id AND d.envelope = p.payload"), 2, 'as they are stored');
is(rows("SELECT kind, code FROM paws_sync.pull_crisis('$tablet', '$start')"), 'unreadable|sealed', 'after a cursor, too');
is(rows("SELECT kind, outcome FROM paws_sync.pull_crisis('$phone', '$start')"), 'receipt|applied', 'receipts are read as ever');
my ($cursor, $pages) = ('', 0);
while ($pages < 10)
{
	my $from = $cursor eq '' ? 'NULL' : "'$cursor'";
	my $next = rows("SELECT \"cursor\" FROM paws_sync.pull_crisis('$tablet', $from, 1)");
	last if $next eq '';
	$cursor = $next;
	$pages++;
}
is($pages, 2, 'page by page it comes to an end');
is(rows("SELECT count(*) FROM paws_sync.pull_crisis('$watch')"), 2, 'a device beyond the number of its tier has it');
error_like($node, "SELECT * FROM paws_sync.pull_crisis('$lost')", 'PW004', undef, 'a revoked one has not');

# The bundle.
is(rows("SELECT count(*) FROM paws_sync.crisis_bundle('$tablet', 'us') WHERE kind = 'resource' AND contact = '988' AND priority = 1"), 2, '988 is told');
is(rows("SELECT contact FROM paws_sync.crisis_bundle('$tablet', 'gb') WHERE name = 'samaritans' AND channel = 'call'"), '116123', 'lines of the region too');
is(rows("SELECT collection, code, encode(payload, 'escape') ~ 'call|help' FROM paws_sync.crisis_bundle('$tablet') WHERE kind = 'document'"),
	"safety|sealed|f\nemergency|sealed|f", 'documents are sealed');
is(rows("SELECT count(*) FROM paws_sync.crisis_bundle('$tablet') b JOIN paws_crisis.document d ON d.doc_id = b.doc_id AND d.envelope = b.payload"), 2, 'as they are stored');
is(rows("SELECT paws_sync.set_resource('us_ny', 'city_line', 'call', '18005550100'); SELECT contact FROM paws_sync.crisis_bundle('$tablet', 'us_ny') WHERE priority = 1"),
	"\n18005550100", 'an operator can set a line');
is(rows("BEGIN READ ONLY; SELECT count(*) > 10 FROM paws_sync.crisis_bundle('$tablet'); SELECT count(*) FROM paws_sync.pull_crisis('$tablet'); COMMIT"), "t\n2", 'all in read-only transactions');

# What is ordinary.
my $ordinary = op_json('standard', payload => 'later');
my %refused = (
	subject_for => "paws_sync.subject_for('one')",
	register_device => "paws_sync.register_device('$subject', 'ios')",
	pull => "paws_sync.pull('$tablet')",
	pull_wait => "paws_sync.pull_wait('$tablet')",
	receipts => "paws_sync.receipts('$phone', '{}')",
	'push of nothing' => "paws_sync.push('$phone', '[]')",
	'push of an ordinary operation' => "paws_sync.push('$phone', '[$ordinary]')",
	'push of what is none' => "paws_sync.push('$phone', '[1, {}]')",
	push_many => "paws_sync.push_many('$phone', '{}', '{}', '{}', '{}', '{}')");
error_like($node, "SELECT * FROM $refused{$_}", '55000', $HINT, "$_ is refused, with a hint") foreach sort keys %refused;
is(rows("SELECT outcome, code FROM paws_sync.push_crisis('$phone', '[$ordinary]')"), 'rejected|not_crisis', 'push_crisis takes nothing ordinary');
is(rows('SELECT count(*) FROM paws_queue.operation'), 0, 'nothing of it was taken');

# Writing.
my $third = op_json('safety', doc_id => $plan, base_revision => 2, payload => 'call Pat');
is(rows("SELECT outcome, revision, receipt FROM paws_sync.push_crisis('$phone', '[$third]')"), 'accepted|3|applied', 'push_crisis goes on');
is(suites($plan), '3', 'sealed to the public key');
is(rows("SELECT outcome, receipt FROM paws_sync.push_crisis('$phone', '[$third]')"), 'duplicate|applied', 'it knows what it was sent');
my ($mixed, $large) = (op_json('emergency', payload => 'help me'), op_json('emergency', payload => 'x' x 1_048_577));
is(rows("SELECT outcome, code, receipt, retry_after > '1 second' FROM paws_sync.push('$phone', '[$ordinary, $mixed]') ORDER BY item"),
	"limited|keys_unavailable||t\naccepted||applied|", 'push takes the crisis operation and asks for the other one later');
is(rows("SELECT outcome, code FROM paws_sync.push('$phone', '[$ordinary, $large, 1]') ORDER BY item"),
	"limited|keys_unavailable\nrejected|too_large\nrejected|malformed", 'a refused crisis operation has its answer too');
my $deletion = op_json('standard', deleted => 1);
is(rows("SELECT outcome, code FROM paws_sync.push('$phone', '[$deletion, $mixed]') ORDER BY item"), "limited|keys_unavailable\nduplicate|", 'so has a deletion');
my $x = new_uuid();
is(rows("SELECT outcome, code FROM paws_sync.push_many('$watch', ARRAY[gen_random_uuid(), gen_random_uuid()], '{safety,standard}',"
		. " ARRAY['$x', gen_random_uuid()]::uuid[], '{0,0}', '{x,y}') ORDER BY item"),
	"accepted|\nrejected|crisis_only", 'push_many as well');
is(rows("SELECT outcome, code, receipt FROM paws_sync.push('$lost', '[" . op_json('emergency') . "]')"), 'accepted|device_revoked|applied', 'so is a revoked device');
is(rows("SELECT count(*) FROM paws_sync.crisis_bundle('$tablet') WHERE kind = 'document' AND code = 'sealed'"), 5, 'all of it is in the bundle, sealed');
is(rows("SELECT count(*) FROM paws_crisis.document WHERE encode(envelope, 'escape') ~ 'call|help'"), 0, 'nothing is stored in clear');
is(rows('SELECT count(*) FROM paws_queue.operation'), 0, 'nothing ordinary was taken');
my $session = session($node);
my $undone = op_json('safety', payload => 'undone');
$session->query_safe("BEGIN; SELECT FROM paws_sync.push_crisis('$phone', '[$undone]')");
is($session->query_safe("SELECT string_agg(DISTINCT relnamespace::regnamespace::text, ' ') FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
		. " WHERE pid = pg_backend_pid() AND relnamespace::regnamespace::text ~ '^paws_'"), 'paws_crisis paws_registry', 'and nothing else touched');
$session->query_safe('ROLLBACK');
is(rows("SELECT count(*) FROM paws_sync.crisis_bundle('$tablet') WHERE kind = 'document'"), 5, 'a rollback undoes it');

# A waiter of another session sees it at its commit, as ever.
$session->query_safe("SELECT FROM paws_sync.push_crisis('$phone', '[" . op_json('emergency', payload => 'help too') . "]')");
is(rows("SELECT count(*) FROM paws_sync.pull_crisis('$tablet')"), 6, 'others have it at once');
$session->quit;

# Only the care keys: tokens are verified, what care has alone is served, the crisis lane is as it was.
restart_with('care', 'billing');
is(key_states(), 'keys care ready, keys crisis none', 'without the crisis keys');
error_like($node, "SELECT * FROM paws_sync.push_crisis('$forged[20]', '[]')", 'PW001', undef, 'tokens are verified');
my ($layered, $simple) = (op_json('standard', payload => 'layered'), op_json('background', payload => 'simple'));
my $fourth = op_json('safety', doc_id => $plan, base_revision => 3, payload => 'call Alex');
is(rows("SELECT outcome, code FROM paws_sync.push('$phone', '[$layered, $fourth, $simple]') ORDER BY item"),
	"limited|keys_unavailable\naccepted|\naccepted|", 'push puts off what needs both keys');
error_like($node, "SELECT * FROM paws_sync.push('$phone', '[$layered]')", '55000', qr/"paws_sync.crisis_root"/, 'alone it is refused, with a hint');
is(suites($plan), '3', 'crisis payloads are sealed to the public key');
wait_applied($node);
is(rows("SELECT string_agg(DISTINCT kind || ' ' || code, ', ') FROM paws_sync.pull_crisis('$tablet')"), 'unreadable sealed', 'pull_crisis hands out envelopes');
is(rows("SELECT lane, kind, code FROM paws_sync.pull('$tablet', '$start') WHERE doc_id = '$plan'"), 'crisis|unreadable|sealed', 'so does pull');
is(rows("SELECT string_agg(DISTINCT code, ', ') FROM paws_sync.crisis_bundle('$tablet') WHERE kind = 'document'"), 'sealed', 'and the bundle');

# Only the crisis keys: the registry decides on tokens, the crisis lane is served whole.
restart_with('crisis', 'billing');
is(key_states(), 'keys care none, keys crisis ready', 'without the care keys');
is(join(' ', map { error_of($node, "SELECT * FROM paws_sync.push_crisis('$_', '[]')")->{sqlstate} } @forged), join(' ', ('PW002') x 25), 'the registry knows the tokens');
my ($y, $fifth) = (new_uuid());
$fifth = op_json('emergency', doc_id => $y, payload => 'last');
is(rows("SELECT outcome, code FROM paws_sync.push('$phone', '[$ordinary, $fifth]') ORDER BY item"), "limited|keys_unavailable\naccepted|", 'push takes the crisis operation');
is(suites($y), '13', 'in two layers');
is(rows("SELECT string_agg(convert_from(payload, 'UTF8'), ', ' ORDER BY payload) FROM paws_sync.crisis_bundle('$tablet') WHERE kind = 'document'"),
	'call Alex, hello, help, help me, help too, last, x', 'the bundle is in clear');
is(rows("SELECT count(*) FILTER (WHERE kind = 'change'), count(*) FROM paws_sync.pull_crisis('$tablet')"), '7|7', 'so is pull_crisis');
error_like($node, "SELECT * FROM paws_sync.pull('$tablet')", '55000', $HINT, 'pull is refused');

# All of them: what was written without them opens as the rest does.
restart_with('care', 'crisis', 'billing');
is(key_states(), 'keys care ready, keys crisis ready', 'with keys again');
is(rows("SELECT string_agg(convert_from(payload, 'UTF8'), ', ' ORDER BY payload) FROM paws_sync.crisis_bundle('$tablet') WHERE kind = 'document'"),
	'call Alex, hello, help, help me, help too, last, x', 'the bundle is in clear');
is(rows("SELECT string_agg(kind || ' ' || convert_from(payload, 'UTF8'), ', ' ORDER BY payload) FROM paws_sync.pull_crisis('$tablet', '$start')"),
	'change call Alex, change hello, change help me, change help too, change last, change x', 'a device goes on from where it had stored its cursor');
my ($all) = paws_pull($node, $tablet, $start);
is(join(', ', sort map { $_->{payload} } grep { $_->{kind} eq 'change' } @$all), 'call Alex, hello, help me, help too, last, simple, x', 'pull has it all');
is(join(' ', map { $_->{outcome} } paws_push($node, $phone, [ $ordinary, $layered ])), 'accepted accepted', 'what was put off is taken');
my $sixth = op_json('safety', doc_id => $plan, base_revision => 4, payload => 'call Robin');
is(join(' ', map { "$_->{outcome} $_->{revision}" } paws_push($node, $phone, [$sixth])), 'accepted 5', 'the plan is written again');
is(suites($plan), '13', 'in two layers');
wait_applied($node);
is(rows("SELECT convert_from(payload, 'UTF8') FROM paws_sync.crisis_bundle('$tablet') WHERE doc_id = '$plan'"), 'call Robin', 'and read');

unlike(slurp_file($node->logfile), qr/a stored envelope does not open/, 'the log has no complaint of an envelope');

# A document that was written without keys and moved to another place opens there no more than any other.
is(rows("BEGIN; UPDATE paws_crisis.document d SET envelope = o.envelope, seal = NULL FROM paws_crisis.document o WHERE o.doc_id = '$x' AND d.doc_id = '$plan';"
		. " SELECT code FROM paws_sync.crisis_bundle('$tablet') WHERE doc_id = '$plan'; ROLLBACK"), 'envelope_rejected', 'an envelope in a place not its own is rejected');
like(slurp_file($node->logfile), qr/a stored envelope does not open/, 'and the log says so');

# A keyring that cannot be read is as good as none.
$node->stop;
append_to_file("$keys/keyring", 'x');
$node->start;
is(key_states(), 'keys care none, keys crisis none', 'with a damaged keyring there are no keys');
my $seventh = op_json('safety', doc_id => $plan, base_revision => 5, payload => 'call Jo');
is(rows("SELECT outcome, receipt FROM paws_sync.push_crisis('$phone', '[$seventh]')"), 'accepted|applied', 'push_crisis goes on');
is(rows("SELECT code FROM paws_sync.pull_crisis('$tablet', '$start') WHERE doc_id = '$plan'"), 'sealed', 'so does pull_crisis');
is(rows("SELECT count(*) FROM paws_sync.crisis_bundle('$tablet') WHERE contact = '988'"), 4, 'and the bundle');
crash_free($node);
$node->stop;
done_testing();
