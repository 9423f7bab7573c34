# A crash in the middle of rotation and erasure, at each of the places between two steps (src/base/fault.h): the server
# comes back by itself, what was begun is ended, everything is readable, and the keyring has what it should.
#
# PAWS_FAULTS=all goes through all places that are passed, a number through so many of them.

use strict;
use warnings;

use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsKeyring;
use PawsKeys;
use PawsNode;
use PawsProbe;

use constant SUBJECTS => 45;

my $wanted = $ENV{PAWS_FAULTS} // 24;
my $folder = "$PostgreSQL::Test::Utils::tmp_check/faults";
my ($bin, $err) = run_command([ 'bash', "$ENV{TESTDIR}/test/fault_points.sh", $folder ]);
like($bin, qr|^/.*/bin$|, 'a server is built that can be made to crash') or BAIL_OUT($err);

my $order = "$folder/order";
$ENV{PAWS_FAULT_FILE} = $order;
my $node = PawsNode->new_node(
	'faults',
	-install_path => dirname($bin),
	'paws_sync.erasure_interval' => 0,
	'paws_sync.keyring_backup_retention' => 0);
my $keys = $node->basedir . '/keys';

sub sql { return $node->safe_psql('postgres', @_) }

define_sealings($node);
my $content = make_content($node, 'content');
sql("SELECT paws_sync.set_tier_policy('trial', 1000000, 1000000, 1000000000, 1000000000)");

# Persons with an ordinary document, one of the crisis lane, and something that waits; each is named by a number.
sql(<<'SQL');
CREATE TABLE person (n int PRIMARY KEY, subject paws_sync.subject, phone paws_sync.device, reader paws_sync.device);
CREATE PROCEDURE add_persons(first int, last int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN first .. last LOOP
		INSERT INTO person SELECT i, s, paws_sync.register_device(s, 'ios'), paws_sync.register_device(s, 'web')
		FROM paws_sync.subject_for('person ' || i) s;
		PERFORM paws_sync.push_many(phone, ARRAY[gen_random_uuid(), gen_random_uuid()], '{standard,safety}',
			ARRAY[gen_random_uuid(), gen_random_uuid()], '{0,0}', ARRAY[convert_to('of ' || i, 'UTF8'), convert_to('of ' || i, 'UTF8')])
		FROM person p WHERE p.n = i;
	END LOOP;
END $$;
SQL

sub add_persons
{
	my ($first, $last) = @_;

	sql("CALL add_persons($first, $last)");
	wait_applied($node);
	return;
}

# How many of the others have both documents, as they were.
sub persons_served
{
	return sql(<<'SQL');
SELECT count(*) FROM person, LATERAL (SELECT count(*) FILTER (WHERE kind = 'change' AND convert_from(payload, 'UTF8') = 'of ' || n) AS good,
	count(*) FILTER (WHERE kind NOT IN ('change', 'position')) AS bad FROM paws_sync.pull(reader)) p
WHERE good = 2 AND bad = 0
SQL
}

my $next = SUBJECTS;
add_persons(1, SUBJECTS);
is(persons_served(), SUBJECTS, 'everybody is served');

# One rotation of each kind and a person who is forgotten, up to the end of all; the process that passes the place of
# this number dies. Returns the places that were passed.
sub go_through
{
	my ($number) = @_;
	my $n = ++$next;
	my ($subject, $phone);

	add_persons($n, $n);
	($subject, $phone) = split /\|/, sql("DELETE FROM person WHERE n = $n RETURNING subject, phone");
	my ($subject_no) = sql("SELECT subject_no FROM paws_registry.subject WHERE subject::text = '$subject'");
	unlink "$order.passed";
	put_file($order, "$number\n");
	my @jobs = split /\|/, sql("SELECT paws_sync.rotate_keys('data_keys'), paws_sync.rotate_keys('epochs')");
	PawsNode::quiet_psql($node, "SELECT paws_sync.forget('$subject')");
	wait_for_sql($node, 'the server', "SELECT true");
	# the first crash may have come before it
	wait_for_sql($node, 'the person to be forgotten', "SELECT (SELECT count(*) FROM paws_sync.forget('$subject')) = 1");
	wait_for_sql($node, 'the end', "SELECT bool_and(finished_at IS NOT NULL) AND (SELECT state = 'certified' FROM paws_sync.erasure_status('$subject')) "
		  . 'FROM paws_sync.pg_stat_progress_paws_sync_keys',
		"SELECT string_agg(kind || ' ' || phase, ', '), (SELECT state FROM paws_sync.erasure_status('$subject')) FROM paws_sync.pg_stat_progress_paws_sync_keys WHERE finished_at IS NULL");
	my $crashed = !-e $order;
	unlink $order;
	my @passed = split /\n/, slurp_file("$order.passed");
	my $place = $crashed ? basename($passed[ $number - 1 ]) : '';
	my $name = $crashed ? "a crash at $number, $place" : 'without a crash';

	is(join(' ', map { job_of($node, $_)->{left_over} } @jobs), '0 0', "$name: nothing is left over");
	is(persons_served(), SUBJECTS, "$name: everybody else is served");
	content_is($node, $content, "$name: all documents are as they were");
	is(join('|', map { scalar split / /, epochs_of("$keys/keyring", $_) } qw(care crisis)), '1|1', "$name: the keyring has one epoch of each root");
	is(sql("SELECT count(*) FROM paws_sync.key_status() WHERE state NOT IN ('open', 'current', 'destroyed') OR state = 'current' AND keys <> "
			  . (SUBJECTS + 1)), 0, "$name: under which all keys are");
	is(join(' ', map { basename($_) } grep { !/\.root$/ } glob("$keys/*")), 'keyring keyring.lock', "$name: no other file is left behind");
	is(sql(join ' + ', 'SELECT 0', map { "(SELECT count(*) FROM $_ WHERE subject_no = $subject_no)" }
		  qw(paws_vault.data_key paws_crisis.subject_key paws_registry.subject paws_registry.device paws_queue.operation),
		map { ("paws_care.$_", "paws_crisis.$_") } qw(document branch feed counter)),
		0, "$name: nothing is left of who was forgotten");
	is(sql("SELECT paws_sync.verify_certificate(certificate) FROM paws_sync.erasure_status('$subject')"), 't', "$name: and there is a certificate");
	error_like($node, "SELECT * FROM paws_sync.pull('$phone')", 'PW002', undef, "$name: whose device is not known");
	like((paws_push($node, sql('SELECT phone FROM person WHERE n = 1'), [ op_json('safety', payload => "of 1") ]))[0]{receipt} // '', qr/applied/, "$name: pushes are taken");
	sql("DELETE FROM paws_crisis.document d USING paws_crisis.counter c, paws_registry.device r WHERE r.device::text = (SELECT phone::text FROM person WHERE n = 1) "
		  . 'AND c.subject_no = r.subject_no AND d.subject_no = r.subject_no AND d.position = c.position');
	wait_workers($node);
	return @passed;
}

my @passed = go_through(1_000_000_000);
my %places = map { $_ => 1 } @passed;
cmp_ok(scalar(@passed), '>=', 20, scalar(@passed) . ' places are passed, at ' . keys(%places) . ' lines');
note(join "\n", @passed);

# Of each line one passing first, then spread over all.
my @numbers = 1 .. @passed;
if ($wanted ne 'all')
{
	my %seen;
	my @first = grep { !$seen{ $passed[ $_ - 1 ] }++ } @numbers;
	my %chosen = map { $_ => 1 } @first[ 0 .. ($#first < $wanted - 1 ? $#first : $wanted - 1) ];

	for (my $i = 0; keys(%chosen) < $wanted && $i < @numbers; $i++)
	{
		$chosen{ 1 + int($i * 7919) % @numbers } = 1;
	}
	@numbers = sort { $a <=> $b } keys %chosen;
}
my $crashes = 0;
foreach my $number (@numbers)
{
	my @again = go_through($number);

	$crashes++ if @again >= $number;
}
cmp_ok($crashes, '>=', $wanted eq 'all' ? 20 : $wanted - 4, "the server crashed $crashes times");
is(scalar(() = slurp_file($node->logfile) =~ /was terminated by signal 9/g), $crashes, 'as often as it was told to');
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal (?!9)|TRAP:/, 'and for no other reason');
$node->stop;
done_testing();
