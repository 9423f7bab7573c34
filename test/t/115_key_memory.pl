# Opened data keys in the memory of processes: bounded, gone from all at once when somebody deletes or supersedes them, and
# gone from one that does nothing when their time is over. The bytes themselves are looked for.

use strict;
use warnings;

use Errno qw(EACCES EPERM);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsKeys;
use PawsNode;
use PawsProbe;

my $node = PawsNode->new_node('key_memory', 'paws_sync.key_cache_ttl' => '1h', 'paws_sync.erasure_interval' => '30d');
my $keys = $node->basedir . '/keys';
my %library = map { $_ => build_module($_) } qw(memory_probe vault_calls open_sealed);

sub sql { return $node->safe_psql('postgres', @_) }

sql(<<"SQL");
CREATE FUNCTION cached_keys() RETURNS int LANGUAGE c AS '$library{vault_calls}';
CREATE FUNCTION count_in_memory(masked bytea) RETURNS int STRICT LANGUAGE c AS '$library{memory_probe}';
CREATE FUNCTION open_sealed(home int, subject_no bigint, subject paws_sync.subject, collection int, doc_id uuid,
	op_id uuid, base_revision bigint, envelope bytea) RETURNS bytea STRICT LANGUAGE c AS '$library{open_sealed}';
SQL

# A person with a document in each lane; the keys as the tool opens them, by lane.
sub person
{
	my ($ref) = @_;
	my %p = (ref => $ref, subject => new_subject($node, $ref, 'premium'), phone => new_device($node, $ref), reader => new_device($node, $ref, 'web'));

	paws_push($node, $p{phone}, [ op_json('standard', payload => "of $ref"), op_json('safety', payload => "of $ref") ]);
	wait_applied($node);
	$p{no} = sql("SELECT subject_no FROM paws_registry.subject WHERE subject::text = '$p{subject}'");
	return \%p;
}

sub keys_of
{
	my ($p) = @_;
	my %opened = opened_keys($keys, write_contexts($node, "$keys/contexts"));
	my @found;

	foreach my $name (keys %opened)
	{
		my ($home, $no) = split / /, $name;
		$found[$home] = $opened{$name} if $no == $p->{no};
	}
	unlink "$keys/contexts";
	return @found;
}

# How often a session has a key in its memory. From outside where the system lets us, by the session itself else.
my $outside = 0;

sub count_outside
{
	my ($pid, $key) = @_;
	my $wanted = pack 'H*', $key;
	my $count = 0;

	open(my $memory, '<:raw', "/proc/$pid/mem") or return;
	foreach my $line (split /\n/, slurp_file("/proc/$pid/maps"))
	{
		my ($from, $to) = $line =~ /^([0-9a-f]+)-([0-9a-f]+) rw.p/ or next;
		my $bytes = '';
		no warnings 'portable';

		sysseek($memory, hex $from, 0) or next;
		for (my $left = hex($to) - hex($from); $left > 0;)
		{
			my $got = sysread($memory, $bytes, $left, length $bytes) or last;
			$left -= $got;
		}
		$count++ while $bytes =~ /\Q$wanted\E/g;
	}
	return $count;
}

sub count_of
{
	my ($session, $pid, $key) = @_;
	my $count = count_outside($pid, $key);

	$outside++ if defined $count;
	return $count // $session->query_safe("SELECT count_in_memory('\\x" . join('', map { sprintf '%02x', hex($_) ^ 0xa5 } $key =~ /../g) . "')");
}

sub open_session
{
	my $session = session($node);
	return ($session, $session->query_safe('SELECT pg_backend_pid()'));
}

my $one = person('one');
my ($care, $crisis) = keys_of($one);
like($_, qr/^[0-9a-f]{64}$/, 'the key is known to the test') foreach $care, $crisis;

# A session that read has the keys, and no more often than once.
my ($session, $pid) = open_session();
is(count_of($session, $pid, $care), 0, 'a new session does not have the key');
my $pull = "SELECT count(*) FROM paws_sync.pull('$one->{reader}') WHERE kind = 'change'";
is($session->query_safe($pull), 2, 'it reads');
is($session->query_safe('SELECT cached_keys()'), 2, 'and keeps two keys');
is(count_of($session, $pid, $care), 1, 'the key of the ordinary lane is in its memory, once');
is(count_of($session, $pid, $crisis), 1, 'that of the crisis lane as well');
is(count_of($session, $pid, 'ab' x 32), 0, 'what is not there is not found');
note($outside ? 'looked for from outside' : 'looked for from inside');

# Forgetting and rotation take it away from sessions that have it.
my $stored = sql("SELECT format('SELECT open_sealed(0, %s, %L, %s, %L, %L, %s, %L) IS NOT NULL', d.subject_no, s.subject, d.collection, d.doc_id, d.op_id, d.base_revision, d.envelope) "
	  . "FROM paws_care.document d JOIN paws_registry.subject s USING (subject_no) WHERE d.subject_no = $one->{no}");
is($session->query_safe($stored), 't', 'an envelope opens with what it keeps');
$session->query_safe('BEGIN');
is($session->query_safe($stored), 't', 'in a transaction too');
sql("SELECT paws_sync.forget('$one->{subject}')");
is($session->query_safe($stored), 'f', 'and not any more when the person was forgotten elsewhere, in the same transaction');
$session->query_safe('COMMIT');
is(count_of($session, $pid, $_), 0, 'the key is gone from its memory') foreach $care, $crisis;

my $two = person('two');
is($session->query_safe("SELECT count(*) FROM paws_sync.pull('$two->{reader}') WHERE kind = 'change'"), 2, 'it reads another');
my @old = keys_of($two);
is(count_of($session, $pid, $old[0]), 1, 'and has that key');
is(rotate($node, 'data_keys')->{left_over}, 0, 'data keys are rotated');
is($session->query_safe("SELECT count(*) FROM paws_sync.pull('$two->{reader}') WHERE kind = 'change'"), 2, 'it reads on');
my @new = keys_of($two);
isnt($new[$_], $old[$_], 'with another key') foreach 0, 1;
is(count_of($session, $pid, $old[$_]), 0, 'the old one is gone from its memory') foreach 0, 1;
is(count_of($session, $pid, $new[0]), 1, 'the new one is there');

# Rolled back, nothing is lost; a savepoint as well.
sql("BEGIN; SELECT * FROM paws_sync.forget('$two->{subject}'); ROLLBACK");
is($session->query_safe("SELECT count(*) FROM paws_sync.pull('$two->{reader}') WHERE kind = 'change'"), 2, 'a person who was not forgotten after all is read');
$session->query_safe("BEGIN; SAVEPOINT a; SELECT * FROM paws_sync.forget('$two->{subject}'); ROLLBACK TO a;");
is($session->query_safe("SELECT count(*) FROM paws_sync.pull('$two->{reader}') WHERE kind = 'change'"), 2, 'in the session itself too');
$session->query_safe('COMMIT');

# What a transaction makes and does not commit.
$session->query_safe('BEGIN');
$session->query_safe("SELECT paws_sync.register_device(paws_sync.subject_for('uncommitted'), 'ios')");
$session->query_safe('ROLLBACK');
my $uncommitted = person('uncommitted');
is($session->query_safe("SELECT count(*) FROM paws_sync.pull('$uncommitted->{reader}') WHERE kind = 'change'"), 2, 'a key that was rolled back is not remembered');

# Bounded: who reads many keeps the last ones.
sql(<<'SQL');
CREATE TABLE many (n int, reader paws_sync.device);
INSERT INTO many SELECT n, paws_sync.register_device(s, 'web') FROM generate_series(1, 300) n, paws_sync.subject_for('many ' || n) s;
SELECT count(*) FROM many m, generate_series(1, 2) g, paws_sync.push_crisis(m.reader, jsonb_build_array(jsonb_build_object('op_id', gen_random_uuid(),
	'doc_id', gen_random_uuid(), 'collection', 'safety', 'base_revision', 0, 'payload', 'aGVsbG8=')));
UPDATE many SET reader = paws_sync.register_device(paws_sync.subject_for('many ' || n), 'ios');
SQL
my $many = $session->query_safe('SELECT count(*) FILTER (WHERE p.payload IS NOT NULL) FROM many, LATERAL paws_sync.pull(reader) p');
is($many, 600, 'a session reads three hundred persons');
is($session->query_safe('SELECT cached_keys()'), 256, 'and keeps two hundred and fifty-six keys');
is(count_of($session, $pid, $new[0]), 0, 'what was used long ago had to give way');
is($session->query_safe('SELECT sum((SELECT count(*) FROM paws_sync.pull(reader) WHERE payload IS NOT NULL)) FROM many WHERE n > 200'), 200, 'it reads on');
is($session->query_safe("SELECT count(*) FROM paws_sync.pull('$two->{reader}') WHERE kind = 'change'"), 2, 'also who had to give way');

# In its own time: a session that does nothing loses them as well. An error in between changes nothing in that.
set_option($node, 'paws_sync.key_cache_ttl', "'1s'");
foreach my $case ([ 'idle', [] ], [ 'idle after an error', ['SELECT 1 / 0'] ], [ 'idle in a transaction', ['BEGIN'] ],
	[ 'idle in a failed transaction', [ 'BEGIN', 'SELECT 1 / 0' ] ])
{
	my ($name, $statements) = @$case;
	my ($idle, $idle_pid) = open_session();
	my $before;

	until_sql($node, "SELECT current_setting('paws_sync.key_cache_ttl') = '1s'");
	# again, should the time be over before it is looked at
	foreach (1 .. 20)
	{
		$idle->query_safe("SELECT count(*) FROM paws_sync.pull('$two->{reader}')");
		$before = count_of($idle, $idle_pid, $new[0]);
		last if $before;
	}
	is($before, 1, "$name: the key is there");
	$idle->query($_) foreach @$statements;
	$idle->{stderr} = '';
	if ($outside)
	{
		ok(within(60, sub { count_of($idle, $idle_pid, $new[0]) == 0 }), "$name: and then not any more");
	}
	else
	{
		$idle->query_safe('SELECT pg_sleep(2)') unless @$statements && $statements->[-1] =~ /0/;
		sleep 2;
		$idle->query('ROLLBACK');
		$idle->{stderr} = '';
		ok(count_of($idle, $idle_pid, $new[0]) == 0, "$name: and then not any more");
	}
	is(count_of($idle, $idle_pid, $new[1]), 0, "$name: nor that of the other lane");
	$idle->query('ROLLBACK');
	$idle->{stderr} = '';
	is($idle->query_safe("SELECT count(*) FROM paws_sync.pull('$two->{reader}') WHERE kind = 'change'"), 2, "$name: it reads again");
	$idle->quit;
}

# The end of the time comes in the middle of use, over and over.
my $script = put_file($node->basedir . '/use.sql', "\\set n random(1, 300)\nSELECT 1 / (count(*) FILTER (WHERE payload = 'hello') = 2)::int FROM many, LATERAL paws_sync.pull(reader) WHERE n = :n;\n");
my ($out, $err) = run_command([ $node->installed_command('pgbench'), '-n', '-M', 'prepared', '-c', 2, '-T', 5, '-f', $script, '-h', $node->host, '-p', $node->port, '-U', 'postgres', 'postgres' ]);
unlike($err, qr/ERROR|abort/, 'who uses keys all the time never lacks one');
like($out, qr/number of transactions actually processed: [1-9]\d{2,}/, 'and is quick');
is(sql('SELECT sum(errors) FROM paws_sync.pg_stat_paws_sync_workers'), 0, 'no worker failed');
crash_free($node);
$node->stop;
done_testing();
