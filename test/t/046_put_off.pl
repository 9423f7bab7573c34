# An operation that failed is put off by the wall clock, which is then set back by an hour: it is tried again within the
# longest time that anything is put off, not after an hour; and what waits behind it is not forgotten either.
use strict;
use warnings;

use PawsKeyring;
use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;

my ($library) = glob('/usr/lib/*/faketime/libfaketimeMT.so.1');

BAIL_OUT('libfaketime is not installed: run "make deps"') unless $library;

my $offset_file = "$PostgreSQL::Test::Utils::tmp_check/046_clock_offset";
my %fake = (
	LD_PRELOAD => build_module('plain_select') . " $library",
	FAKETIME_TIMESTAMP_FILE => $offset_file,
	FAKETIME_NO_CACHE => 1,
	FAKETIME_DONT_FAKE_MONOTONIC => 1);

# By a rename, so that nobody reads half of it.
sub set_clock
{
	my ($offset) = @_;

	append_to_file("$offset_file.new", sprintf("%+d\n", $offset));
	rename "$offset_file.new", $offset_file or die "$offset_file: $!";
	return;
}

set_clock(0);
my $node = PawsNode->new_node('put_off', 'paws_sync.apply_at_once' => 'off', 'paws_sync.pool_size' => 2, 'paws_sync.max_attempts' => 100);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE poison (op_id uuid);
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF EXISTS (SELECT FROM public.poison p WHERE p.op_id = NEW.op_id) THEN RAISE EXCEPTION 'poisoned'; END IF; RETURN NEW; END $$;
CREATE TRIGGER poison BEFORE INSERT ON paws_care.feed FOR EACH ROW EXECUTE FUNCTION poison();
SQL
$node->stop;
{
	local @ENV{ keys %fake } = values %fake;
	$node->start;
}
wait_workers($node);

# The clock goes ahead, and the operations fail there; then it goes back to where it was.
my $device = new_device($node, 'patient');
my ($bad, $behind, $raised) = map { new_uuid() } 1 .. 3;
my $document = new_uuid();
set_clock(3600);
wait_for_sql($node, 'the clock to be ahead', "SELECT clock_timestamp() > to_timestamp(@{[time]}) + '30 min'::interval");
$node->safe_psql('postgres', "INSERT INTO poison VALUES ('$bad')");
paws_push($node, $device, [ op_json('bulk', op_id => $bad, doc_id => $document), op_json('bulk', op_id => $behind, doc_id => $document, base_revision => 1) ]);
wait_for_sql($node, 'some attempts', "SELECT attempts >= 3 FROM paws_queue.operation WHERE op_id = '$bad'");
$node->safe_psql('postgres', "SELECT paws_sync.pause_level('bulk')");
set_clock(0);
is($node->safe_psql('postgres', "SELECT not_before > clock_timestamp() + '50 min'::interval FROM paws_queue.operation WHERE op_id = '$bad'"),
	't', 'by the clock it is put off for an hour');
my $attempts = $node->safe_psql('postgres', "SELECT attempts FROM paws_queue.operation WHERE op_id = '$bad'");
$node->safe_psql('postgres', "SELECT paws_sync.resume_level('bulk')");
wait_for_sql($node, 'another attempt', "SELECT attempts > $attempts FROM paws_queue.operation WHERE op_id = '$bad'");
pass('it is tried again all the same');

# Again, and now something urgent comes on its document: what it waits for is lifted, not taken for put off.
set_clock(3600);
$attempts = $node->safe_psql('postgres', "SELECT attempts FROM paws_queue.operation WHERE op_id = '$bad'");
wait_for_sql($node, 'an attempt ahead', "SELECT attempts > $attempts AND not_before > to_timestamp(@{[time]}) + '30 min'::interval FROM paws_queue.operation WHERE op_id = '$bad'");
$node->safe_psql('postgres', "SELECT paws_sync.pause_level('bulk')");
set_clock(0);
$node->safe_psql('postgres', 'TRUNCATE poison');
$node->safe_psql('postgres', "SELECT paws_sync.set_policy('bulk', 'trial', 'reduced', 500)");
paws_push($node, $device, [ op_json('bulk', op_id => $raised, doc_id => $document, base_revision => 2) ]);
wait_applied($node);
is($node->safe_psql('postgres', "SELECT string_agg(outcome::text || ' ' || revision, ', ' ORDER BY revision) "
	  . "FROM paws_sync.receipts('$device', ARRAY['$bad', '$behind', '$raised']::uuid[])"),
	'applied 1, applied 2, applied 3', 'all are applied, in the order pushed, through a paused level');
ok(depths_agree($node), 'the depths are right');

$node->stop('immediate');
done_testing();
