# Rotation of epochs, data keys and roots under writers and readers: nothing is ever unreadable, nothing is lost, and
# nothing is destroyed that somebody may still need.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use PawsKeyring;
use PawsKeys;
use PawsLoad;
use PawsNode;
use PawsProbe;

seed_random();

my $node = PawsNode->new_node('rotation', 'max_prepared_transactions' => 4);
my $keys = $node->basedir . '/keys';
my $keyring = "$keys/keyring";

sub sql { return $node->safe_psql('postgres', @_) }

define_sealings($node);

# Each phase that jobs pass through.
sql(<<'SQL');
CREATE TABLE passed (job bigint, phase int, done bigint, total bigint, n int GENERATED ALWAYS AS IDENTITY);
CREATE FUNCTION note_phase() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN INSERT INTO public.passed (job, phase, done, total) VALUES (NEW.job_id, NEW.phase, NEW.done, NEW.total); RETURN NULL; END';
CREATE TRIGGER note AFTER INSERT OR UPDATE ON paws_vault.key_job FOR EACH ROW EXECUTE FUNCTION note_phase();
ALTER TABLE paws_vault.key_job ENABLE ALWAYS TRIGGER note;
SQL
my %PHASES = (
	epochs => '1 11 2 3 4 5 6 10',
	data_keys => '1 7 3 12 8 5 9 10',
	roots => '1 10');

sub phases_are
{
	my ($job, $kind) = @_;
	my $phases = sql("SELECT string_agg(phase::text, ' ' ORDER BY n) FROM (SELECT phase, n, lag(phase) OVER (ORDER BY n) AS before "
		  . "FROM passed WHERE job = $job) p WHERE phase IS DISTINCT FROM before");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($phases, $PHASES{$kind}, "$kind: the phases one after another");
	return is(sql("SELECT count(*) FROM passed WHERE job = $job AND done > total"), 0, "$kind: never more done than there is");
}

# Readers in transactions of either kind; a row that is unreadable is a failure of theirs.
my @readers;

sub start_readers
{
	my @devices = @_;
	my $list = join ', ', map { "'$_'" } @devices;
	my $pull = "SELECT 1 / (count(*) FILTER (WHERE kind = 'unreadable') = 0)::int FROM paws_sync.pull((ARRAY[$list])[:n]::paws_sync.device);\n";
	my $pick = "\\set n random(1, @{[ scalar @devices ]})\n";
	my $n = 0;

	foreach my $script ("$pick$pull", "${pick}BEGIN ISOLATION LEVEL REPEATABLE READ;\n$pull\\sleep 20 ms\n${pull}COMMIT;\n")
	{
		my $file = put_file($node->basedir . '/readers' . ++$n . '.sql', $script);
		my %reader = (out => '', err => '');

		$reader{run} = IPC::Run::start([ 'pgbench', '-n', '-c', 2, '-T', 600, '-f', $file, '-h', $node->host, '-p', $node->port,
				'-U', 'postgres', 'postgres' ],
			'<', \undef, '>', \$reader{out}, '2>', \$reader{err});
		push @readers, \%reader;
	}
	return;
}

sub end_readers
{
	my ($name) = @_;

	foreach my $reader (splice @readers)
	{
		$reader->{run}->signal('INT');
		$reader->{run}->finish;
		$reader->{err} =~ s/^pgbench \(.*\)\n//mg;
		unlike($reader->{err}, qr/ERROR|abort/, "$name: no reader fails") or diag($reader->{err});
	}
	return;
}

my @content = map { make_content($node, "one $_") } 1 .. 3;
my $load = PawsLoad->new($node, writers => 4, subjects => 3, crisis => 0.3, largest => 3);
my @devices = (load_subjects($load), map { $_->{reader} } @content);

sub all_is_there
{
	my ($name) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	content_is($node, $_, "$name: $_->{ref} is as it was") foreach @content;
	return;
}
all_is_there('before');

# What is asked for.
error_like($node, 'SELECT paws_sync.rotate_keys(NULL)', '22004', undef, 'no kind');
error_like($node, "SELECT paws_sync.rotate_keys('$_')", '22023', qr/epochs, data_keys or roots/, "no such kind: $_")
  foreach '', 'EPOCHS', 'epochs ', 'x' x 100;
error_like($node, "BEGIN READ ONLY; SELECT paws_sync.rotate_keys('roots')", '25006', undef, 'not in a read-only transaction');
my $asked = session($node);
my $again = session($node);
$asked->query_safe('BEGIN');
my $held = $asked->query_safe("SELECT paws_sync.rotate_keys('roots')");
start_query($again, "SELECT paws_sync.rotate_keys('roots')");
until_sql($node, "SELECT count(*) = 1 FROM pg_locks WHERE NOT granted");
$asked->query_safe('ROLLBACK');
my ($second) = $again->query_safe("SELECT 'and ' || max(job) FROM paws_sync.pg_stat_progress_paws_sync_keys") =~ /and (\d+)/;
cmp_ok($second, '!=', $held, 'a request that was rolled back leaves the next one its own');
wait_job($node, $second);
$again->quit;
pause_workers($node);
is(sql("SELECT paws_sync.rotate_keys('epochs') = paws_sync.rotate_keys('epochs')"), 't', 'what waits is not asked for twice');
is(sql("SELECT paws_sync.rotate_keys() = paws_sync.rotate_keys('epochs')"), 't', 'epochs are meant where nothing is said');
is(sql("SELECT paws_sync.rotate_keys('data_keys') = paws_sync.rotate_keys('epochs')"), 'f', 'another kind is another job');
is(sql("SELECT count(*) FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE phase = 'requested' AND done = 0 AND total = 0"), 2,
	'without workers they wait');
my $waiting = sql(push_some($content[0]{phone}, 20, 'sealed_aes'));
is($waiting, 20, 'and so does what is pushed');
resume_workers($node);
ok(until_sql($node, 'SELECT bool_and(finished_at IS NOT NULL) FROM paws_sync.pg_stat_progress_paws_sync_keys'), 'until they are back');
wait_applied($node);
is(sql("SELECT count(*) FROM paws_sync.pull('$content[0]{reader}') WHERE collection = 'sealed_aes' AND payload = 'hello'"), 20,
	'then all of it is read');
sql("DELETE FROM paws_care.document WHERE op_id IN (SELECT op_id FROM paws_sync.pull('$content[0]{reader}') WHERE payload = 'hello')");
all_is_there('after the first rotations');

# Each kind under load.
foreach my $kind ('epochs', 'data_keys', 'epochs', 'roots')
{
	my $before = epoch_states($node);
	my $old = sql('SELECT string_agg(key_id::text, \' \') FROM paws_vault.data_key');

	start_readers(@devices);
	$load->begin(200);
	$load->wait_progress(20);
	my $job = sql("SELECT paws_sync.rotate_keys('$kind')");
	my $done = wait_job($node, $job);
	is("$done->{phase} $done->{left_over}", 'finished 0', "$kind: it comes to its end");
	is($done->{done}, $done->{total}, "$kind: all is done");
	cmp_ok($done->{done}, '>', 0, "$kind: $done->{done} of it") if $kind ne 'roots';
	phases_are($job, $kind);
	$load->finish;
	is($load->complaints, '', "$kind: no writer fails");
	end_readers($kind);
	$load->check($kind);
	load_is($load, $kind);
	all_is_there($kind);
	like(epoch_states($node), qr/^care current \d+, crisis current \d+$|destroyed/, "$kind: @{[ epoch_states($node) ]}");
	if ($kind eq 'epochs')
	{
		is(scalar(split / /, epochs_of($keyring, $_)), 1, "$kind: the keyring has one epoch of $_") foreach qw(care crisis);
	}
	elsif ($kind eq 'data_keys')
	{
		is(sql("SELECT count(*) FROM paws_vault.data_key WHERE key_id::text = ANY (string_to_array('$old', ' '))"), 0,
			'data_keys: no old key is left');
		is(sql('SELECT count(*) - count(DISTINCT subject_no) FROM paws_vault.data_key'), 0, 'data_keys: each subject has one');
		is(sql('SELECT count(*) - count(DISTINCT subject_no) FROM paws_crisis.subject_key'), 0, 'data_keys: and one in the crisis lane');
	}
}

# Who waits in the queue is waited for: it is sealed under the old key.
pause_workers($node);
is(sql(push_some($content[1]{phone}, 5, 'sealed_client')), 5, 'something waits in the queue');
sql('INSERT INTO paws_queue.paused_level SELECT DISTINCT level FROM paws_queue.operation');
resume_workers($node);
my $job = sql("SELECT paws_sync.rotate_keys('data_keys')");
wait_phase($node, $job, 'settling_queue');
stays_in_phase($node, $job, 'settling_queue', 'and stays there while something waits');
all_is_there('while it waits');
sql('TRUNCATE paws_queue.paused_level');
is(wait_job($node, $job)->{left_over}, 0, 'then it goes on');
is(sql("SELECT count(*) FROM paws_sync.pull('$content[1]{reader}') WHERE payload = 'hello'"), 5, 'and all is read');
is(sql('SELECT count(*) - count(DISTINCT subject_no) FROM paws_vault.data_key'), 0, 'no key is left that it was sealed under');
sql("DELETE FROM paws_care.document WHERE op_id IN (SELECT op_id FROM paws_sync.pull('$content[1]{reader}') WHERE payload = 'hello')");

# Who may still write or read under what was before holds it up, and nobody else.
sql('CREATE TABLE mine (n int)');
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$node->safe_psql('elsewhere', 'CREATE TABLE mine (n int)');
my %blocker = (
	'a snapshot that is held' => [ 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT 1 FROM mine' ],
	'a transaction that wrote' => [ 'BEGIN', 'INSERT INTO mine VALUES (1)' ],
	'an open cursor' => [ 'BEGIN', 'DECLARE c CURSOR FOR SELECT generate_series(1, 10)', 'FETCH 1 FROM c' ]);
foreach my $what (sort keys %blocker)
{
	my $session = session($node);

	$session->query_safe($_) foreach @{ $blocker{$what} };
	my $job = sql("SELECT paws_sync.rotate_keys('epochs')");
	wait_phase($node, $job, 'settling_writers');
	my $epochs = epochs_of($keyring, 'care') . '|' . epochs_of($keyring, 'crisis');
	stays_in_phase($node, $job, 'settling_writers', "$what holds it up");
	is(epochs_of($keyring, 'care') . '|' . epochs_of($keyring, 'crisis'), $epochs, "$what: nothing is destroyed");
	is($session->query_safe("SELECT count(*) > 0 FROM paws_sync.pull('$devices[0]') WHERE kind = 'change'"), 't',
		"$what: it can read");
	$session->query_safe('COMMIT');
	is(wait_job($node, $job)->{left_over}, 0, "$what is over, and it goes on");
	$session->quit;
}
{
	my $idle = session($node);
	my $far = session($node, 'elsewhere');

	$idle->query_safe('BEGIN');
	$idle->query_safe('SELECT 1');
	$far->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
	$far->query_safe('INSERT INTO mine VALUES (1)');
	is(rotate($node, 'epochs')->{left_over}, 0, 'an idle transaction without a snapshot holds nothing up, nor does another database');
	is($idle->query_safe("SELECT count(*) > 0 FROM paws_sync.pull('$devices[0]') WHERE kind = 'change'"), 't', 'it reads');
	$_->query_safe('COMMIT') foreach $idle, $far;
	$_->quit foreach $idle, $far;
}

# A reader of after the writers: old rows are what it may find.
{
	my $writer = session($node);
	my $reader = session($node);

	$writer->query_safe($_) foreach 'BEGIN', 'INSERT INTO mine VALUES (1)';
	my $job = sql("SELECT paws_sync.rotate_keys('epochs')");
	wait_phase($node, $job, 'settling_writers');
	$reader->query_safe($_) foreach 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM mine';
	$writer->query_safe('COMMIT');
	wait_phase($node, $job, 'settling_readers');
	stays_in_phase($node, $job, 'settling_readers', 'it holds up what is destroyed');
	cmp_ok(scalar(split / /, epochs_of($keyring, 'care')), '>', 1, 'the old epoch is there');
	is($reader->query_safe("SELECT count(*) > 0 FROM paws_sync.pull('$devices[0]') WHERE kind = 'change'"), 't', 'and reads');
	$reader->query_safe('COMMIT');
	wait_job($node, $job);
	is(scalar(split / /, epochs_of($keyring, 'care')), 1, 'until it is done');
	$_->quit foreach $writer, $reader;
}

# A device that is registered while epochs change has its keys under the old one.
{
	my $session = session($node);
	my $subject = new_subject($node, 'racing', 'premium');
	my $old = epochs_of($keyring, 'care');

	$session->query_safe('BEGIN');
	my $device = $session->query_safe("SELECT paws_sync.register_device('$subject', 'ios')");
	my $job = sql("SELECT paws_sync.rotate_keys('epochs')");
	wait_phase($node, $job, 'settling_writers');
	like(epochs_of($keyring, 'care'), qr/^$old \d+$/, 'both epochs are there while a device is being registered');
	my $other = new_device($node, 'one 1');
	$session->query_safe("SELECT outcome FROM paws_sync.push('$device', '[" . op_json('safety', payload => 'mine') . "]')");
	$session->query_safe('COMMIT');
	is(wait_job($node, $job)->{left_over}, 0, 'then the rest is wrapped anew');
	my $reader = new_device($node, 'racing', 'web');
	my ($rows) = paws_pull($node, $reader);
	is(join(' ', map { $_->{payload} } @$rows), 'mine', 'what the device wrote is read');
	$session->quit;

	# the same in two phases, over a restart
	sql("BEGIN; SELECT paws_sync.register_device(paws_sync.subject_for('prepared'), 'ios'); PREPARE TRANSACTION 'registered'");
	$job = sql("SELECT paws_sync.rotate_keys('epochs')");
	wait_phase($node, $job, 'settling_writers');
	restart_node($node);
	stays_in_phase($node, $job, 'settling_writers', 'a prepared transaction is waited for, after a restart too');
	sql("COMMIT PREPARED 'registered'");
	is(wait_job($node, $job)->{left_over}, 0, 'then it goes on');
	$reader = new_device($node, 'prepared', 'web');
	is((paws_push($node, $reader, [ op_json('safety') ]))[0]{receipt}, 'applied', 'the subject of that transaction is served');
	is(sql("SELECT count(*) FROM paws_sync.key_status() WHERE state NOT IN ('open', 'current', 'destroyed')"), 0, 'no key is left behind');
}

# The workers are ended in the middle.
{
	my $session = session($node);

	$session->query_safe($_) foreach 'BEGIN', 'INSERT INTO mine VALUES (1)';
	my $job = sql("SELECT paws_sync.rotate_keys('data_keys')");
	wait_phase($node, $job, 'settling_writers');
	my ($scheduler) = worker_pids($node, 'scheduler');
	kill 'TERM', $scheduler;
	ok(until_sql($node, "SELECT pid <> $scheduler FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler'"), 'the scheduler is another one');
	stays_in_phase($node, $job, 'settling_writers', 'which waits for the same');
	$session->query_safe('COMMIT');
	is(wait_job($node, $job)->{left_over}, 0, 'and goes on');
	$session->quit;
	all_is_there('with another scheduler');
}

# A keyring that cannot be written.
{
	my $before = content_of($keyring);

	chmod 0500, $keys;
	my $offset = -s $node->logfile;
	my $job = sql("SELECT paws_sync.rotate_keys('epochs')");
	wait_phase($node, $job, 'making_epochs');
	ok(within(30, sub { log_since($node, $offset) =~ /the keyring file could not be replaced/ }), 'the log says that the keyring cannot be replaced');
	stays_in_phase($node, $job, 'making_epochs', 'the rotation waits');
	start_readers(@devices);
	$load->begin(20);
	$load->finish;
	is($load->complaints, '', 'writers go on');
	end_readers('without a writable keyring');
	is(content_of($keyring), $before, 'nothing changed');
	chmod 0700, $keys;
	is(wait_job($node, $job)->{left_over}, 0, 'and goes on as soon as it can');
	is(scalar(split / /, epochs_of($keyring, 'care')), 1, 'with one epoch');
	$load->check('after that');
	load_is($load, 'after that');
}

# A data key that does not open: nothing is destroyed that would open it, should somebody find out why.
{
	my $victim = sql("SELECT subject_no FROM paws_registry.subject WHERE subject::text = '$content[2]{subject}'");
	my $stored = sql("SELECT encode(wrapped, 'hex') FROM paws_vault.data_key WHERE subject_no = $victim");
	my $old = epochs_of($keyring, 'care');
	my $garble = "UPDATE paws_vault.data_key SET wrapped = set_byte(wrapped, 60, get_byte(wrapped, 60) # 1) WHERE subject_no = $victim";

	sql($garble);
	my $offset = -s $node->logfile;
	my $done = rotate($node, 'epochs');
	is("$done->{left_over} $done->{phase}", '1 finished', 'one key is left over');
	is($done->{done} + 1, $done->{total}, 'all others are done');
	like(epochs_of($keyring, 'care'), qr/^$old \d+$/, 'the old epoch is kept');
	like(log_since($node, $offset), qr/WARNING:  old key epochs are kept/, 'the log says so');
	content_is($node, $_, "$_->{ref} is read") foreach @content[ 0, 1 ];
	is(sql("SELECT count(*) FROM paws_sync.pull('$content[2]{reader}') WHERE lane = 'ordinary'"), 0, 'the one is not');
	$done = rotate($node, 'data_keys');
	cmp_ok($done->{left_over}, '>', 0, 'a rotation of data keys goes past it');
	is(sql("SELECT count(*) FROM paws_vault.data_key WHERE subject_no = $victim"), 2, 'and keeps what does not open');
	content_is($node, $_, "$_->{ref} is read") foreach @content[ 0, 1 ];
	sql("UPDATE paws_vault.data_key SET wrapped = '\\x$stored' WHERE subject_no = $victim AND version = (SELECT min(version) FROM paws_vault.data_key WHERE subject_no = $victim)");
	content_is($node, $content[2], 'when the row is put back all is there');
	is(rotate($node, 'data_keys')->{left_over}, 0, 'a rotation of data keys leaves nothing over');
	is(rotate($node, 'epochs')->{left_over}, 0, 'nor does one of epochs');
	is(scalar(split / /, epochs_of($keyring, 'care')), 1, 'which destroys the old ones');
	all_is_there('in the end');
}

# An envelope that does not open stays what it is, and its key with it.
{
	my $victim = sql("SELECT subject_no FROM paws_registry.subject WHERE subject::text = '$content[2]{subject}'");
	my $where = "subject_no = $victim AND collection = (SELECT collection_no FROM paws_registry.collection WHERE name = 'sealed_aes')";
	my $stored = sql("SELECT encode(envelope, 'hex') FROM paws_care.document WHERE $where");

	sql("UPDATE paws_care.document SET envelope = set_byte(envelope, 200, get_byte(envelope, 200) # 1) WHERE $where");
	cmp_ok(rotate($node, 'data_keys')->{left_over}, '>', 0, 'a document that does not open is left over');
	sql("UPDATE paws_care.document SET envelope = '\\x$stored' WHERE $where");
	content_is($node, $content[2], 'when it is put back its key is there');
	is(rotate($node, 'data_keys')->{left_over}, 0, 'and it is sealed anew');
	content_is($node, $content[2], 'and read');
}

# A new id of the roots, and the end of the old one.
{
	my %old;

	$node->stop;
	foreach my $root (qw(care crisis billing))
	{
		$old{$root} = content_of("$keys/$root.root");
		put_file("$keys/$root.root", $old{$root} . '2 ' . unpack('H*', join('', map { chr int rand 256 } 1 .. 32)) . "\n");
	}
	$node->start;
	wait_workers($node);
	start_readers(@devices);
	$load->begin(50);
	my $done = rotate($node, 'roots');
	is("$done->{done} $done->{left_over}", "$done->{total} 0", 'the keyring is wrapped under the new roots');
	cmp_ok($done->{done}, '>=', 5, "$done->{done} entries of it");
	$load->finish;
	end_readers('roots');
	$load->check('new roots');
	unlike(content_of($keyring), qr/^(base|epoch) \w+ \d+ 1 /m, 'nothing is under the old ids');
	$node->stop;
	foreach my $root (qw(care crisis billing))
	{
		my ($new) = content_of("$keys/$root.root") =~ /^(2 .*\n)/m;

		put_file("$keys/$root.root", $new);
	}
	$node->start;
	wait_workers($node);
	load_is($load, 'without the old roots');
	all_is_there('without the old roots');
}

# By themselves, when they are old.
{
	my $jobs = 'SELECT count(*) FROM paws_vault.key_job WHERE kind = 1';
	my $before = sql($jobs);

	set_option($node, 'paws_sync.epoch_lifetime', "'1s'");
	ok(until_sql($node, "SELECT ($jobs) > $before"), 'old epochs are rotated without being asked');
	set_option($node, 'paws_sync.epoch_lifetime', '0');
	until_sql($node, 'SELECT bool_and(finished_at IS NOT NULL) FROM paws_vault.key_job');
	all_is_there('rotated by themselves');
}

crash_free($node);
$node->stop;
done_testing();
