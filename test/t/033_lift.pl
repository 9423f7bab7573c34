# An operation is never overtaken by a more urgent one of its document; it is lifted to that one's level instead, so that the
# urgent one does not wait for everything in between. And rows that come in by other ways than push are found.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::RealBin/../perl";
use PawsNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# stored times are coarse: the order is that of the commits
my $node = PawsNode->new_node('lift', 'paws_sync.apply_at_once' => 'off', 'paws_sync.pool_size' => 1, 'paws_sync.batch_size' => 10,
	'track_commit_timestamp' => 'on');

new_subject($node, 'person', 'basic');
my $device = new_device($node, 'person');
new_subject($node, 'crowd', 'basic');
my $crowd = new_device($node, 'crowd');

pause_workers($node);
my $document = new_uuid();
my ($first) = paws_push($node, $device, [ op_json('bulk', doc_id => $document, payload => 'one') ]);
paws_push($node, $crowd, [ map { op_json('standard', payload => "between $_") } 1 .. 300 ]);

# the tier's bulk work becomes urgent, and the person goes on writing
$node->safe_psql('postgres', "SELECT paws_sync.set_policy('bulk', 'basic', 'interactive', 500)");
my ($second) =
  paws_push($node, $device, [ op_json('bulk', doc_id => $document, base_revision => 1, payload => 'two') ]);
is($first->{level}, 'bulk', 'the first operation waits at a low level');
is($second->{level}, 'interactive', 'the next one of the document is urgent');

resume_workers($node);
wait_applied($node);
my $feed = "SELECT pg_xact_commit_timestamp(xmin) FROM paws_care.feed WHERE op_id";
is($node->safe_psql('postgres', "SELECT string_agg(revision::text, ' ' ORDER BY position) FROM paws_care.feed "
	  . "WHERE op_id IN ('$first->{op_id}', '$second->{op_id}')"), '1 2', 'both are applied, in the order pushed');
is($node->safe_psql('postgres', "SELECT count(*) > 200 FROM paws_care.feed f JOIN paws_registry.device d USING (device_no) "
	  . "WHERE d.device OPERATOR(paws_sync.=) '$crowd' AND pg_xact_commit_timestamp(f.xmin) > ($feed = '$second->{op_id}')"), 't',
	'and neither waited for the less urgent work that came between them');
ok(depths_agree($node), 'the depths are right');

# what a restore brings in, no push announces
pause_workers($node);
my ($restored) = paws_push($node, $crowd, [ op_json('background') ]);
$node->safe_psql('postgres', 'CREATE TABLE kept AS SELECT * FROM paws_queue.operation; DELETE FROM paws_queue.operation');
resume_workers($node);
paws_push($node, $crowd, [ map { op_json('background') } 1 .. 20 ]);
wait_applied($node);
$node->safe_psql('postgres', 'INSERT INTO paws_queue.operation SELECT * FROM kept');
wait_applied($node);
is($node->safe_psql('postgres', "SELECT outcome FROM paws_sync.receipts('$crowd', ARRAY['$restored->{op_id}'::uuid])"),
	'applied', 'an operation put in by hand is found');

$node->stop;
done_testing();
