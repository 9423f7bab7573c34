# Forgetting a thousand of two thousand persons: from a base backup, all WAL and today's keyring nobody reads a word of
# theirs any more, whatever point the server is recovered to, and everybody else is served. The same with a keyring that
# was kept shows that there was something to find.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsKeys;
use PawsNode;
use PawsProbe;

use constant PERSONS => 2000;
use constant FORGOTTEN => PERSONS / 2;    # those with odd numbers

my $node = PawsNode->new_node(
	'shred',
	'wal_level' => 'replica',
	'max_wal_senders' => 4,
	'archive_mode' => 'on',
	'archive_command' => 'cp "%p" "' . ($PostgreSQL::Test::Utils::tmp_check . '/archive') . '/%f"',
	'paws_sync.erasure_interval' => '30d',
	'paws_sync.keyring_backup_retention' => 0);
my $keys = $node->basedir . '/keys';
my $archive = "$PostgreSQL::Test::Utils::tmp_check/archive";
mkdir $archive;

sub sql { return $node->safe_psql('postgres', @_) }

sql("SELECT paws_sync.set_tier_policy('trial', 1000000, 1000000, 1000000000, 1000000000)");
sql(<<'SQL');
CREATE TABLE person (n int PRIMARY KEY, subject_no bigint, subject paws_sync.subject, phone paws_sync.device, reader paws_sync.device);
CREATE FUNCTION write_of(n int) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM person p, paws_sync.push_many(p.phone, ARRAY[gen_random_uuid(), gen_random_uuid()], '{standard,safety}',
		ARRAY[gen_random_uuid(), gen_random_uuid()], '{0,0}', ARRAY[convert_to('of ' || $1, 'UTF8'), convert_to('of ' || $1, 'UTF8')])
	WHERE p.n = $1 AND outcome = 'accepted'
$$;
CREATE PROCEDURE add_persons(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN first .. last LOOP
		INSERT INTO person SELECT i, NULL, s, paws_sync.register_device(s, 'ios'), paws_sync.register_device(s, 'web')
		FROM paws_sync.subject_for('person ' || i) s;
		PERFORM write_of(i);
		IF i % 50 = 0 THEN COMMIT; END IF;
	END LOOP;
	UPDATE person p SET subject_no = s.subject_no FROM paws_registry.subject s WHERE s.subject::text = p.subject::text;
END $$;
CREATE PROCEDURE forget_odd(last int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. last BY 2 LOOP
		PERFORM FROM person p, paws_sync.forget(p.subject) WHERE p.n = i;
		IF i % 20 = 1 THEN COMMIT; END IF;
	END LOOP;
END $$;
-- for each kind of person: how many there are, and how many rows of theirs, and other people's, they can read
CREATE FUNCTION readable(last int) RETURNS TABLE (forgotten boolean, persons bigint, served bigint, seen bigint) LANGUAGE plpgsql AS $$
DECLARE
	p person;
	good bigint;
	counted bigint[] := '{0,0,0,0,0,0}';
	k int;
BEGIN
	FOR p IN SELECT * FROM person WHERE n <= last LOOP
		good := 0;
		BEGIN
			SELECT count(*) INTO good FROM paws_sync.pull(p.reader) r WHERE r.payload IS NOT NULL;
			IF good > 0 THEN
				SELECT count(*) FILTER (WHERE convert_from(r.payload, 'UTF8') = 'of ' || p.n) INTO good FROM paws_sync.pull(p.reader) r
				WHERE r.kind = 'change';
			END IF;
		EXCEPTION WHEN SQLSTATE 'PW002' OR SQLSTATE 'PW003' THEN
		END;
		k := 3 * (p.n % 2);
		counted[k + 1] := counted[k + 1] + 1;
		counted[k + 2] := counted[k + 2] + (good >= 2)::int;
		counted[k + 3] := counted[k + 3] + good;
	END LOOP;
	RETURN QUERY VALUES (true, counted[4], counted[5], counted[6]), (false, counted[1], counted[2], counted[3]);
END $$;
SQL

# What readable() says of forgotten and others: "persons served rows", for each.
sub readable_is
{
	my ($server, $forgotten, $others, $name) = @_;
	my $found = $server->safe_psql('postgres',
		"SELECT string_agg(concat_ws(' ', persons, served, (seen > 0)::int), ', ' ORDER BY forgotten DESC) FROM readable(@{[PERSONS]})");
	my $wanted = join ', ', map { FORGOTTEN . " $_ " . ($_ > 0 ? 1 : 0) } $forgotten, $others;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is($found, $wanted, $name);
}

sql("CALL add_persons(1, @{[PERSONS]})");
wait_applied($node);
readable_is($node, FORGOTTEN, FORGOTTEN, 'everybody is served');

$node->backup('base');
sql('SELECT sum(write_of(n)) FROM person WHERE n % 10 < 2');
wait_applied($node);
sql('CHECKPOINT');
sql('UPDATE paws_vault.data_key SET version = version WHERE subject_no % 3 = 0');
my $contexts = write_contexts($node, "$keys/contexts");
sql("SELECT pg_create_restore_point('before')");

# In the middle of the load of the others.
my $push = put_file($node->basedir . '/others.sql', "\\set n random(1, @{[PERSONS / 2]})\nSELECT 1 / (write_of(2 * :n) = 2)::int;\n");
my %others = (out => '', err => '');
$others{run} = IPC::Run::start([ 'pgbench', '-n', '-c', 2, '-T', 600, '-f', $push, '-h', $node->host, '-p', $node->port, '-U', 'postgres', 'postgres' ],
	'<', \undef, '>', \$others{out}, '2>', \$others{err});
sql("CALL forget_odd(@{[PERSONS]})");
sql("SELECT pg_create_restore_point('after')");
is(sql("SELECT count(*) FROM person p, paws_sync.erasure_status(p.subject) WHERE n % 2 = 1 AND state IN ('deleted', 'swept')"), FORGOTTEN, 'a thousand are forgotten');
readable_is($node, 0, FORGOTTEN, 'at once nobody reads them');
is(sql('SELECT count(*) FROM paws_vault.data_key k JOIN person p USING (subject_no) WHERE n % 2 = 1'), 0, 'their keys are gone');
ok(until_sql($node, "SELECT count(*) = @{[FORGOTTEN]} FROM person p, paws_sync.erasure_status(p.subject) WHERE state = 'swept'"), 'and then their rows');
$others{run}->signal('INT');
$others{run}->finish;
unlike($others{err}, qr/ERROR|abort/, 'nobody else noticed');
wait_applied($node);
foreach my $table (qw(paws_vault.data_key paws_crisis.subject_key paws_registry.subject paws_registry.device paws_queue.operation),
	map { ("paws_care.$_", "paws_crisis.$_") } qw(document branch feed counter))
{
	is(sql("SELECT count(*) FROM $table JOIN person p USING (subject_no) WHERE n % 2 = 1"), 0, "nothing is left of them in $table");
}
is(sql('SELECT count(*) FROM paws_care.acknowledged a WHERE NOT EXISTS (SELECT FROM paws_registry.device d WHERE d.device_no = a.device_no)'), 0,
	'nor of their devices');
ok(depths_agree($node), 'the depths are right');
is(sql('SELECT sum(errors) FROM paws_sync.pg_stat_paws_sync_workers'), 0, 'no worker failed');

# Until the epochs are destroyed, whoever has the old keyring can open what backups hold.
my $kept = "$keys.kept";
mkdir $kept, 0700;
put_file("$kept/$_", content_of("$keys/$_")) foreach qw(keyring care.root crisis.root billing.root);
is(sql("SELECT count(*) FROM person p, paws_sync.erasure_status(p.subject) WHERE destroyed_at IS NULL AND certificate IS NULL"), FORGOTTEN, 'nothing is certified yet');
set_option($node, 'paws_sync.erasure_interval', 0);
ok(until_sql($node, "SELECT count(*) = @{[FORGOTTEN]} FROM person p, paws_sync.erasure_status(p.subject) WHERE state = 'certified'"), 'until the epochs are destroyed');
unlike(content_of("$keys/keyring"), qr/^epoch (care|crisis) 1 /m, 'the keyring has the old epochs no more');
is(sql("SELECT bool_and(logical_at <= destroyed_at AND destroyed_at <= irrecoverable_at AND irrecoverable_at <= clock_timestamp()) FROM person p, paws_sync.erasure_status(p.subject)"), 't',
	'the dates are in order');
is(sql('SELECT count(*) FROM person p, paws_sync.erasure_status(p.subject) WHERE paws_sync.verify_certificate(certificate)'), FORGOTTEN, 'and every certificate is good');
sql('SELECT sum(write_of(n)) FROM person WHERE n IN (2, 4, 6)');
wait_applied($node);
readable_is($node, 0, FORGOTTEN, 'everybody else is served');
my $contexts_now = write_contexts($node, "$keys/contexts.now");
my $dump_care = $node->basedir . '/care.copy';
my $dump_crisis = $node->basedir . '/crisis.copy';
sql("COPY (SELECT key_id, kek_epoch, wrapped FROM paws_vault.data_key) TO '$dump_care'");
sql("COPY (SELECT key_id, kek_epoch, wrapped FROM paws_crisis.subject_key) TO '$dump_crisis'");
my $last = sql('SELECT pg_walfile_name(pg_switch_wal())');
ok(until_sql($node, "SELECT last_archived_wal >= '$last' FROM pg_stat_archiver"), 'all WAL is archived');

# Another server, of the backup and the WAL up to a point, with these keys.
sub recovered
{
	my ($name, $point, $folder) = @_;
	my $server = PostgreSQL::Test::Cluster->new($name);
	my $own = $server->basedir . '/keys';

	$server->init_from_backup($node, 'base');
	mkdir $own, 0700;
	put_file("$own/$_", content_of("$folder/$_")) foreach qw(keyring care.root crisis.root billing.root);
	$server->append_conf('postgresql.conf', join '', map { "$_\n" }
		(map { "paws_sync.${_}_root = 'file:$own/$_.root'" } qw(care crisis billing)),
		"paws_sync.keyring_file = '$own/keyring'",
		"paws_sync.databases = ''",
		"archive_mode = off",
		"restore_command = 'cp \"$archive/%f\" \"%p\"'",
		"recovery_target_action = 'promote'",
		$point ? "recovery_target_name = '$point'" : ());
	PostgreSQL::Test::Utils::append_to_file($server->data_dir . '/recovery.signal', '');
	$server->start;
	$server->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
	return $server;
}

foreach my $point ('before', 'after', undef)
{
	my $name = $point // 'end';
	my $server = recovered("today_$name", $point, $keys);

	is($server->safe_psql('postgres', 'SELECT count(*) FROM paws_registry.subject s JOIN person p USING (subject_no) WHERE n % 2 = 1'),
		$name eq 'before' ? FORGOTTEN : 0, "$name: the server is where it should be");
	if ($name eq 'end')
	{
		readable_is($server, 0, FORGOTTEN, "$name: nobody reads the forgotten, everybody else is served");
		$server->stop;
		next;
	}
	# rows of then are wrapped under what is destroyed; those of today open
	readable_is($server, 0, 0, "$name: nobody reads anything with the keys of then");
	$server->safe_psql('postgres', <<"SQL");
CREATE TABLE care (key_id uuid, kek_epoch int, wrapped bytea);
CREATE TABLE crisis (LIKE care);
COPY care FROM '$dump_care';
COPY crisis FROM '$dump_crisis';
UPDATE paws_vault.data_key k SET kek_epoch = c.kek_epoch, wrapped = c.wrapped FROM care c WHERE c.key_id = k.key_id;
UPDATE paws_crisis.subject_key k SET kek_epoch = c.kek_epoch, wrapped = c.wrapped FROM crisis c WHERE c.key_id = k.key_id;
SQL
	readable_is($server, 0, FORGOTTEN, "$name: with those of today everybody else is served");
	if ($name eq 'before')
	{
		my $victim = $server->safe_psql('postgres', 'SELECT reader FROM person WHERE n = 1');
		is($server->safe_psql('postgres', "SELECT string_agg(DISTINCT kind || ' ' || coalesce(code, ''), ', ') FROM paws_sync.pull('$victim')"),
			'unreadable envelope_rejected', "$name: what is there of the forgotten is not read");
	}
	$server->stop;
}
my $control = recovered('kept_before', 'before', $kept);
readable_is($control, FORGOTTEN, FORGOTTEN, 'the control: with the keyring that was kept everybody is read');
$control->stop;

# Without any server: whatever in the files may be a wrapped key is tried as the key of everybody. An update's record in
# the WAL may lack bytes that it shares with the row before; the row itself is in the table's file.
sql('CHECKPOINT');
my ($oid) = sql("SELECT oid FROM pg_database WHERE datname = 'postgres'");
my @files = (glob($node->backup_dir . "/base/base/$oid/*"), glob($node->data_dir . "/base/$oid/*"), glob("$archive/0*"));
my %number = map { split /\|/ } split /\n/, sql('SELECT subject_no, n FROM person');

sub found_by_scan
{
	my ($folder) = @_;
	my @found = (0, 0);
	my ($out, $err) = run_command([ build_tool('wrapped_keys'), "$folder/keyring", "$folder/care.root", "$folder/crisis.root", $contexts, 'scan',
			grep { -f && -s } @files ]);
	my ($blobs, $tries) = $out =~ /^# blobs (\d+) tries (\d+)$/m or die $err;

	note("$folder: $blobs that may be keys, $tries tries");
	cmp_ok($blobs, '>=', 2 * PERSONS, "$blobs keys are found in the files, wrapped");
	$found[ $number{$1} % 2 ]++ while $out =~ /^[01] (\d+) [0-9a-f]+$/mg;
	return @found;
}
is_deeply([ found_by_scan($keys) ], [ 2 * FORGOTTEN, 0 ], 'with today\'s keyring all keys of the others open, and none of the forgotten');
is_deeply([ found_by_scan($kept) ], [ 2 * FORGOTTEN, 2 * FORGOTTEN ], 'the control: with the keyring that was kept all do');

$node->stop;
done_testing();
