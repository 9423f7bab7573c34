# Forgetting a person while everything else goes on: in rolled-back transactions, beside the person's own devices that push,
# pull, wait and register, with work that waits and work that is held; and the certificate that says so in the end.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsKeys;
use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node(
	'forget',
	'paws_sync.erasure_interval' => '30d',
	'paws_sync.keyring_backup_retention' => 0,
	'max_prepared_transactions' => 2);
my $keys = $node->basedir . '/keys';

sub sql { return $node->safe_psql('postgres', @_) }

# A person with documents in both lanes and three devices: a phone, a reader that has acknowledged, and a watch.
sub person
{
	my ($ref) = @_;
	my %p = (ref => $ref, subject => new_subject($node, $ref, 'premium'));

	$p{$_->[0]} = new_device($node, $ref, $_->[1]) foreach [ phone => 'ios' ], [ reader => 'web' ], [ watch => 'wearable' ];
	paws_push($node, $p{phone}, [ op_json('standard', payload => "of $ref"), op_json('safety', payload => "of $ref"), op_json('bulk') ]);
	wait_applied($node);
	$p{no} = sql("SELECT subject_no FROM paws_registry.subject WHERE subject::text = '$p{subject}'");
	my (undef, $cursor) = paws_pull($node, $p{reader});
	$p{cursor} = $cursor;
	sql("SELECT paws_sync.ack('$p{reader}', '$cursor')");
	$p{devices} = sql("SELECT array_agg(device_no) FROM paws_registry.device WHERE subject_no = $p{no}");
	return \%p;
}

sub forget
{
	my ($p) = @_;
	return sql("SELECT state FROM paws_sync.forget('$p->{subject}')");
}

sub swept
{
	my ($p, $name) = @_;
	my @tables = (qw(paws_vault.data_key paws_crisis.subject_key paws_registry.subject paws_registry.device paws_queue.operation paws_care.entitlement),
		map { ("paws_care.$_", "paws_crisis.$_") } qw(document branch feed counter));

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok(until_sql($node, "SELECT state NOT IN ('deleted') FROM paws_sync.erasure_status('$p->{subject}')"), "$name: it is swept");
	my $left = sql(join ' UNION ALL ',
		(map { "SELECT '$_ ' || count(*) FROM $_ WHERE subject_no = $p->{no} HAVING count(*) > 0" } @tables),
		map { "SELECT '$_ ' || count(*) FROM $_ WHERE device_no = ANY ('$p->{devices}') HAVING count(*) > 0" } qw(paws_care.acknowledged paws_crisis.acknowledged));
	is($left, '', "$name: nothing is left");
	return;
}

sub depths_right
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	wait_applied($node);
	ok(depths_agree($node), "$name: the depths are right");
	is(depth_total($node), 0, "$name: and zero");
	return;
}

# What a statement of an open session, or the one that it waits for, fails with.
sub failure_of
{
	my ($session, $statement) = @_;

	$session->query($statement);
	my $failure = $session->{stderr};
	$session->{stderr} = '';
	return $failure;
}

# What is asked for.
my $nobody = sql("SELECT paws_sync.subject_for('nobody')");
error_like($node, 'SELECT * FROM paws_sync.forget(NULL)', '22004', undef, 'no subject');
error_like($node, "SELECT * FROM paws_sync.forget('$nobody')", '42704', qr/nothing of it to forget/, 'one that is not known');
error_like($node, "SELECT * FROM paws_sync.forget('" . ($nobody =~ s/.$/$& eq 'A' ? 'B' : 'A'/er) . "')", '22P02', undef, 'a broken token');
is(sql("SELECT count(*) FROM paws_sync.erasure_status('$nobody')"), 0, 'and it has no erasure');
my $first = person('first');
error_like($node, "SELECT * FROM paws_sync.forget('$first->{phone}')", '22P02', undef, 'a device');
error_like($node, "BEGIN ISOLATION LEVEL $_; SELECT * FROM paws_sync.forget('$first->{subject}')", '25001', qr/as well/, "not in $_")
  foreach 'REPEATABLE READ', 'SERIALIZABLE';
error_like($node, "BEGIN READ ONLY; SELECT * FROM paws_sync.forget('$first->{subject}')", '25006', undef, 'not in a read-only transaction');
error_like($node, "BEGIN; SELECT * FROM paws_sync.forget('$first->{subject}'); PREPARE TRANSACTION 'x'", '0A000', undef, 'not in two phases');

# Rolled back, whole or in part.
sql("BEGIN; SELECT * FROM paws_sync.forget('$first->{subject}'); ROLLBACK");
sql("BEGIN; SAVEPOINT a; SELECT * FROM paws_sync.forget('$first->{subject}'); ROLLBACK TO a; COMMIT");
error_of($node, "BEGIN; SELECT * FROM paws_sync.forget('$first->{subject}'); SELECT 1 / 0; COMMIT");
my ($rows) = paws_pull($node, $first->{watch});
is(join(' ', sort map { $_->{payload} } @$rows), 'hello of first of first', 'what is rolled back has not happened');
is(sql("SELECT count(*) FROM paws_sync.erasure_status('$first->{subject}')"), 0, 'and is not noted');
is((paws_push($node, $first->{phone}, [ op_json('safety') ]))[0]{receipt}, 'applied', 'devices go on');

# Done, and done again.
my $answer = sql("SELECT erasure, state, keys, destroyed_at IS NULL, irrecoverable_at IS NULL, certificate IS NULL FROM paws_sync.forget('$first->{subject}')");
like($answer, qr/^[0-9a-f-]{36}\|deleted\|2\|t\|t\|t$/, 'it says what it did');
my ($erasure) = split /\|/, $answer;
is(sql("SELECT erasure FROM paws_sync.forget('$first->{subject}')"), $erasure, 'asked again it is the same');
foreach my $call ("push('$first->{phone}', '[" . op_json('standard') . "]')", "push('$first->{phone}', '[" . op_json('safety') . "]')",
	"push_crisis('$first->{phone}', '[" . op_json('safety') . "]')", "pull('$first->{reader}')", "pull('$first->{reader}', '$first->{cursor}')",
	"pull_wait('$first->{reader}')", "pull_crisis('$first->{reader}')", "crisis_bundle('$first->{reader}')",
	"receipts('$first->{phone}', ARRAY[gen_random_uuid()])", "ack('$first->{reader}', '$first->{cursor}')", "revoke_device('$first->{watch}')")
{
	error_like($node, "SELECT * FROM paws_sync.$call", 'PW002', undef, 'its devices are unknown: ' . ($call =~ /^(\w+)/)[0]);
}
is(sql("SELECT count(*) FROM paws_sync.devices('$first->{subject}')"), 0, 'it has none');
is(sql("SELECT count(*) FROM paws_sync.sync_status('$first->{subject}')"), 0, 'nor a status');
swept($first, 'first');

# The same person anew.
{
	my $again = new_device($node, 'first');
	my $reader = new_device($node, 'first', 'web');

	is(sql("SELECT paws_sync.subject_for('first')"), $first->{subject}, 'the same reference is the same subject');
	($rows) = paws_pull($node, $again);
	is(scalar(@$rows), 0, 'who comes back begins empty');
	paws_push($node, $again, [ op_json('standard', payload => 'again'), op_json('safety', payload => 'again') ]);
	wait_applied($node);
	($rows) = paws_pull($node, $reader);
	is(join(' ', map { $_->{payload} } @$rows), 'again again', 'and is served');
	is(sql("SELECT state FROM paws_sync.erasure_status('$first->{subject}')"), 'swept', 'the erasure of before goes on');
	isnt(sql("SELECT erasure FROM paws_sync.forget('$first->{subject}')"), $erasure, 'forgotten again it is another one');
	isnt(sql("SELECT erasure FROM paws_sync.erasure_status('$first->{subject}')"), $erasure, 'which is what its status tells');
	ok(until_sql($node, "SELECT state = 'swept' FROM paws_sync.erasure_status('$first->{subject}')"), 'it is swept as well');
}

# In one transaction with what comes before and after.
{
	my $p = person('in one');

	sql("BEGIN; SELECT * FROM paws_sync.push('$p->{phone}', '[" . op_json('standard') . ', ' . op_json('safety') . "]'); "
		  . "SELECT * FROM paws_sync.forget('$p->{subject}'); SELECT paws_sync.register_device('$p->{subject}', 'ios') AS d \\gset\n"
		  . "SELECT * FROM paws_sync.push(:'d', '[" . op_json('safety', payload => 'after') . "]'); COMMIT");
	swept($p, 'in one transaction');
	my $reader = new_device($node, 'in one', 'web');
	($rows) = paws_pull($node, $reader);
	is(join(' ', map { $_->{payload} } @$rows), 'after', 'what comes after is there');
}

# What waits, and what a worker holds.
{
	my $p = person('waiting');

	pause_workers($node);
	sql(push_some($p->{phone}, 300, 'standard'));
	sql(push_some($p->{phone}, 50, 'control'));
	is(forget($p), 'deleted', 'forgotten with work that waits');
	is(depth_total($node), 350, 'which is there');
	resume_workers($node);
	swept($p, 'waiting');
	depths_right('waiting');
}
{
	my $p = person('held');
	my $other = person('beside');
	my $hold = hold_subjects($node);

	sql(push_some($_->{phone}, 30, 'standard')) foreach $p, $other;
	ok(until_sql($node, 'SELECT sum(cardinality(ids)) > 0 FROM paws_queue.inflight'), 'workers hold operations');
	is(forget($p), 'deleted', 'forgotten with work that is held');
	release_subjects($node, $hold);
	swept($p, 'held');
	depths_right('held');
	is(sql("SELECT count(*) FROM paws_sync.pull('$other->{reader}') WHERE payload = 'hello'"), 31, 'what waited beside it is applied');
}

# A push that is open across it.
{
	my $p = person('open push');
	my $session = session($node);

	$session->query_safe('BEGIN');
	$session->query_safe("SELECT count(*) FROM paws_sync.push('$p->{phone}', '[" . op_json('standard') . ', ' . op_json('safety') . "]')");
	$session->query_safe("SELECT paws_sync.ack('$p->{watch}', '$p->{cursor}')");
	is(forget($p), 'deleted', 'forgotten beside a push that is not committed');
	stays_deleted($p);
	$session->query_safe('COMMIT');
	swept($p, 'open push');
	$session->quit;
	depths_right('open push');
}

sub stays_deleted
{
	my ($p) = @_;
	my $turns = "SELECT batches FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'";
	my $before = sql($turns);

	until_sql($node, "SELECT ($turns) > $before + 3");
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(erasure_state($node, $p->{subject}), 'deleted', 'who was at work is waited for');
}

# Begun after it was asked for, and before it was committed: the device is still known then.
{
	my $p = person('late push');
	my $eraser = session($node);
	my $device = session($node);

	$eraser->query_safe('BEGIN');
	$eraser->query_safe("SELECT state FROM paws_sync.forget('$p->{subject}')");
	$device->query_safe('BEGIN');
	$device->query_safe("SELECT count(*) FROM paws_sync.push('$p->{phone}', '[" . op_json('standard') . ', ' . op_json('safety') . "]')");
	$eraser->query_safe('COMMIT');
	stays_deleted($p);
	like(failure_of($device, "SELECT * FROM paws_sync.push('$p->{phone}', '[" . op_json('safety') . "]')"), qr/device is not registered/, 'the next push is refused');
	$device->query_safe('ROLLBACK');
	swept($p, 'late push');
	$_->quit foreach $eraser, $device;
	depths_right('late push');
}

# A transaction that keeps its snapshot still sees the rows; their keys are gone all the same.
{
	my $p = person('old snapshot');
	my $session = session($node);

	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
	is($session->query_safe("SELECT count(*) FILTER (WHERE kind = 'change') FROM paws_sync.pull('$p->{reader}')"), 3, 'it reads');
	pause_workers($node);
	forget($p);
	is($session->query_safe("SELECT count(*) FILTER (WHERE kind = 'change' OR payload IS NOT NULL) FROM paws_sync.pull('$p->{reader}')"), 0,
		'and nothing any more as soon as the person is forgotten');
	is($session->query_safe("SELECT outcome FROM paws_sync.push_crisis('$p->{phone}', '[" . op_json('safety', payload => 'with a new key') . "]')"), 'accepted',
		'a crisis is served, under a key of its own');
	resume_workers($node);
	stays_deleted($p);
	$session->query_safe('COMMIT');
	swept($p, 'old snapshot');
	is(sql("SELECT keys FROM paws_sync.erasure_status('$p->{subject}')"), 3, 'the key that was made meanwhile is counted');
	$session->quit;
}

# Who waits for changes is told at once.
{
	my $p = person('waiter');
	my $session = session($node);
	my (undef, $cursor) = paws_pull($node, $p->{watch});

	set_option($node, 'paws_sync.max_wait_with_snapshot', "'60s'");
	$session->query_safe('SELECT 1');
	until_sql($node, "SELECT current_setting('paws_sync.max_wait_with_snapshot') = '1min'");
	start_query($session, "SELECT * FROM paws_sync.pull_wait('$p->{watch}', '$cursor', '60 s')");
	ok(until_sql($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE '%pull_wait%' AND wait_event = 'Extension' AND backend_type = 'client backend'"),
		'a device waits');
	forget($p);
	ok(until_sql($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE '%pull_wait%' AND state = 'active' AND backend_type = 'client backend' AND pid <> pg_backend_pid()"), 'and is told');
	like(failure_of($session, 'SELECT 1'), qr/device is not registered/, 'that it is unknown');
	set_option($node, 'paws_sync.max_wait_with_snapshot', "'1s'");
	$session->quit;
	swept($p, 'waiter');
}

# Registering at the same time: before, it is forgotten too; after, it is another person's beginning.
{
	my $p = person('registering');
	my ($one, $two) = (session($node), session($node));
	my $waits = 'SELECT count(*) = 1 FROM pg_locks WHERE NOT granted';

	$one->query_safe('BEGIN');
	my $device = $one->query_safe("SELECT paws_sync.register_device('$p->{subject}', 'desktop')");
	start_query($two, "SELECT state FROM paws_sync.forget('$p->{subject}')");
	ok(until_sql($node, $waits), 'forgetting waits for a device that is being registered');
	$one->query_safe('COMMIT');
	like(scalar $two->query_safe('SELECT 1'), qr/deleted/, 'then it goes on');
	error_like($node, "SELECT * FROM paws_sync.pull('$device')", 'PW002', undef, 'and the device is unknown');
	swept($p, 'registering');

	$p = person('registering late');
	$one->query_safe('BEGIN');
	$one->query_safe("SELECT state FROM paws_sync.forget('$p->{subject}')");
	start_query($two, "SELECT paws_sync.register_device('$p->{subject}', 'desktop')");
	ok(until_sql($node, $waits), 'registering waits for who forgets');
	$one->query_safe('COMMIT');
	like(failure_of($two, 'SELECT 1'), qr/subject was forgotten by another transaction/, 'and is told to try again');
	swept($p, 'registering late');
	like(sql("SELECT paws_sync.register_device('$p->{subject}', 'desktop')"), qr/^dev_/, 'registered again it is known');
	$_->quit foreach $one, $two;
}

# Two who forget the same.
{
	my $p = person('twice');
	my ($one, $two) = (session($node), session($node));

	$one->query_safe('BEGIN');
	my $id = $one->query_safe("SELECT erasure FROM paws_sync.forget('$p->{subject}')");
	start_query($two, "SELECT erasure FROM paws_sync.forget('$p->{subject}')");
	ok(until_sql($node, 'SELECT count(*) = 1 FROM pg_locks WHERE NOT granted'), 'the second one waits');
	$one->query_safe('COMMIT');
	like(scalar $two->query_safe('SELECT 1'), qr/$id/, 'and is told of the first');
	$_->quit foreach $one, $two;
	swept($p, 'twice');
}

# Much of one person.
{
	my $p = person('much');

	sql("SELECT paws_sync.set_tier_policy('premium', 1000000, 1000000, 1000000000, 1000000000)");
	sql(push_some($p->{phone}, 1000)) foreach 1 .. 3;
	wait_applied($node);
	forget($p);
	swept($p, 'much');
}
is(sql('SELECT sum(errors) FROM paws_sync.pg_stat_paws_sync_workers'), 0, 'no worker failed');

# The certificate.
my $late = person('late');
my $count = sql('SELECT count(*) FROM paws_vault.erasure');
is(sql("SELECT count(*) FROM paws_vault.erasure WHERE state = 4"), $count, 'all of them are swept');
is(sql('SELECT count(*) FROM paws_vault.key_job'), 0, 'and wait for new epochs');
set_option($node, 'paws_sync.keyring_backup_retention', "'1h'");
set_option($node, 'paws_sync.erasure_interval', 0);
ok(until_sql($node, "SELECT count(*) = $count FROM paws_vault.erasure WHERE state = 5"), 'then the epochs are destroyed');
is(sql("SELECT count(*) FROM paws_sync.erasure_status('$first->{subject}') WHERE destroyed_at IS NOT NULL AND irrecoverable_at = destroyed_at + interval '1 hour' AND certificate IS NULL AND state = 'destroyed'"),
	1, 'with the date at which the last backup of the keyring is gone, and no certificate before');
set_option($node, 'paws_sync.keyring_backup_retention', 0);
sql("UPDATE paws_vault.erasure SET irrecoverable_at = destroyed_at WHERE subject_no <> $first->{no}");
ok(until_sql($node, "SELECT count(*) = $count - 1 FROM paws_vault.erasure WHERE state = 6"), 'that comes when its time has come');
forget($late);
ok(until_sql($node, "SELECT state = 'certified' FROM paws_sync.erasure_status('$late->{subject}')"), 'without retention it comes at once');
sql("UPDATE paws_vault.erasure SET irrecoverable_at = destroyed_at WHERE state = 5");
ok(until_sql($node, "SELECT count(*) = $count + 1 FROM paws_vault.erasure WHERE state = 6"), 'in the end for all');
is(sql("SELECT count(*) FROM paws_vault.erasure WHERE NOT (logical_at <= destroyed_at AND destroyed_at <= irrecoverable_at)"), 0, 'all dates are in order');
is(scalar(split / /, epochs_of("$keys/keyring", 'care')), 1, 'and the keyring has one epoch');

my $text = sql("SELECT certificate FROM paws_sync.erasure_status('$late->{subject}')");
my $form = qr/^paws_sync erasure certificate v1\nerasure [0-9a-f]{32}\nsubject \Q$late->{subject}\E\nkeys 2\nlogical (\S+)\ncare epochs to (\d+)\ncrisis epochs to (\d+)\ndestroyed (\S+)\nirrecoverable (\S+)\n\n\x{e2}\x{80}\x{94} paws_sync ([A-Za-z0-9+\/=]{88})$/;
like($text, $form, 'a certificate tells whom, how many keys, which epochs and when');
my ($logical, $care, $crisis, $destroyed, $irrecoverable, $signature) = $text =~ $form;
like($_, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "a time: $_") foreach $logical, $destroyed, $irrecoverable;
ok($logical le $destroyed && $destroyed le $irrecoverable, 'in order');
like(content_of("$keys/keyring"), qr/^destroyed care $care /m, 'and what it says is destroyed, is');

is(sql("SELECT paws_sync.verify_certificate(certificate) FROM paws_sync.erasure_status('$late->{subject}')"), 't', 'it verifies');
error_like($node, 'SELECT paws_sync.verify_certificate(NULL)', '22004', undef, 'NULL does not');
sql(<<'SQL');
CREATE FUNCTION accepted(changed bytea) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN paws_sync.verify_certificate(convert_from(changed, 'UTF8'));
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
	RETURN false;
END $$;
SQL
is(sql("SELECT count(*) > 2000, count(*) FILTER (WHERE accepted(set_bit(c, b, 1 - get_bit(c, b)))) FROM (SELECT convert_to(certificate, 'UTF8') AS c "
		  . "FROM paws_sync.erasure_status('$late->{subject}')) s, generate_series(0, 8 * octet_length(c) - 1) b"), 't|0', 'with any bit changed it does not');
is(sql("SELECT count(*) FILTER (WHERE paws_sync.verify_certificate(left(certificate, n))) FROM paws_sync.erasure_status('$late->{subject}'), "
		  . 'generate_series(0, length(certificate) - 1) n'), 0, 'nor cut short');
is(sql("SELECT paws_sync.verify_certificate(certificate || '$_'), paws_sync.verify_certificate('$_' || certificate) FROM paws_sync.erasure_status('$late->{subject}')"), 'f|f',
	'nor with something beside it') foreach "\n", ' ', "\r\n", 'x' x 10000;
is(sql("SELECT paws_sync.verify_certificate(replace(a.certificate, 'keys 2', 'keys 3')), paws_sync.verify_certificate(left(a.certificate, -90) || right(b.certificate, 90)) "
		  . "FROM paws_sync.erasure_status('$late->{subject}') a, paws_sync.erasure_status('$first->{subject}') b"), 'f|f', 'nor with the signature of another');

# By others, with nothing but the key.
my $public = sql("SELECT encode(paws_sync.certificate_key(), 'hex')");
my $folder = $node->basedir;
put_file("$folder/certificate", "$text\n");
my $check = <<'PYTHON';
import base64, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
text, signature = open(sys.argv[1], "rb").read().rsplit("\n\N{EM DASH} paws_sync ".encode(), 1)
Ed25519PublicKey.from_public_bytes(bytes.fromhex(sys.argv[2])).verify(base64.b64decode(signature), text)
PYTHON
put_file("$folder/check.py", $check);
command_ok([ '/usr/bin/python3', "$folder/check.py", "$folder/certificate", $public ], 'Python verifies it without the server');
put_file("$folder/changed", ($text =~ s/keys 2/keys 3/r) . "\n");
command_fails([ '/usr/bin/python3', "$folder/check.py", "$folder/changed", $public ], 'and refuses a changed one');
{
	die('openssl is not installed: "bash test/deps.sh demo" does that') unless grep { -x "$_/openssl" } split /:/, $ENV{PATH};

	# as the README has it
	my $psql = join ' ', 'psql', '-At', '-d', "'" . $node->connstr('postgres') =~ s/'/'\\''/gr . "'", '-c';
	put_file("$folder/check.sh", <<"SHELL");
set -e
cd $folder
$psql "SELECT rtrim(certificate, E'\\n') FROM paws_sync.erasure_status('$late->{subject}')" >certificate.txt
$psql "SELECT encode('\\x302a300506032b6570032100' || paws_sync.certificate_key(), 'base64')" | base64 -d >key.der
sed '\$d' certificate.txt | sed '\$d' >signed
tail -n 1 certificate.txt | cut -d ' ' -f 3 | base64 -d >signature
[ -z "\$1" ] || echo more >>signed
openssl pkeyutl -verify -pubin -keyform DER -inkey key.der -rawin -in signed -sigfile signature
SHELL
	command_ok([ 'sh', "$folder/check.sh", '' ], 'so does openssl');
	command_fails([ 'sh', "$folder/check.sh", 'more' ], 'which refuses a changed one');
}

# A restart and new roots change nothing in it.
$node->restart;
wait_workers($node);
is(sql("SELECT certificate FROM paws_sync.erasure_status('$late->{subject}')"), $text, 'after a restart it is the same');
is(sql("SELECT encode(paws_sync.certificate_key(), 'hex')"), $public, 'with the same key');

crash_free($node);
$node->stop;
done_testing();
