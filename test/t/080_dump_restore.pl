# pg_dump and pg_restore: a new server with the same keys goes on where the old one stood; nothing that
# the extension keeps is left out.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $source = PawsNode->new_node('source');
my $target = PawsNode->new_node('target', -no_extension => 1,
	-keys_of => $source, 'paws_sync.keyring_file' => $source->basedir . '/keys/keyring',
	'paws_sync.databases' => '', 'paws_sync.max_databases' => 8);

sub dump_to
{
	my ($file, @options) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$source->command_ok([ 'pg_dump', '-d', $source->connstr('postgres'), '-f', $file, @options ], "dump @options");
	return;
}

# Every row of every table and every sequence, by relation; what stands for the state of workers is left out.
sub content
{
	my ($node, $database) = @_;
	my %content;
	my $relations = $node->safe_psql($database, <<'SQL');
SELECT n.nspname || '.' || c.relname, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname LIKE 'paws\_%' AND c.relkind IN ('r', 'S') ORDER BY 1
SQL
	foreach (split /\n/, $relations)
	{
		my ($name, $kind) = split /\|/;

		next if $name eq 'paws_queue.inflight';
		$content{$name} = $node->safe_psql($database,
			$kind eq 'S' ? "SELECT last_value, is_called FROM $name"
			: "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text)), '') FROM $name t");
	}
	return \%content;
}

# What roles were given, by object.
sub grants
{
	my ($node, $database) = @_;

	return $node->safe_psql($database, <<'SQL');
SELECT o.name, r.rolname, string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type) FROM (
	SELECT oid::regprocedure::text, proacl FROM pg_proc UNION ALL SELECT oid::regclass::text, relacl FROM pg_class
	UNION ALL SELECT oid::regtype::text, typacl FROM pg_type UNION ALL SELECT oid::regnamespace::text, nspacl FROM pg_namespace
) AS o (name, acl), aclexplode(o.acl) a JOIN pg_roles r ON r.oid = a.grantee WHERE r.rolname IN ('backend', 'the desk')
GROUP BY 1, 2 ORDER BY 1, 2
SQL
}

# What a device gets, without cursors.
sub everything_of
{
	my ($node, $database, $device, $cursor) = @_;
	my ($rows, $next) = paws_pull($node, $device, $cursor, $database);

	return (join("\n", map { my $r = $_; join ' ', map { $r->{$_} } qw(lane kind doc_id revision deleted payload outcome code) } @$rows), $next);
}

# A bit of everything.
my %doc = map { $_ => new_uuid() } qw(a b c);
my $subject = new_subject($source, 'one', 'premium');
my $phone = new_device($source, 'one');
my $tablet = new_device($source, 'one', 'web');
my $lost = new_device($source, 'one', 'android');
new_subject($source, 'two', 'grace_period');
my $two = new_device($source, 'two');
paws_push($source, $phone, [ op_json('standard', doc_id => $doc{a}, payload => 'first'), op_json('bulk', doc_id => $doc{b}, payload => 'kept'),
		op_json('safety', payload => 'the plan'), op_json('interactive', doc_id => $doc{c}) ]);
wait_applied($source);
my $done = op_json('standard', doc_id => $doc{a}, base_revision => 1, payload => 'second');
paws_push($source, $phone, [ $done, op_json('bulk', doc_id => $doc{b}, base_revision => 1, payload => 'newer') ]);
wait_applied($source);
paws_push($source, $tablet, [ op_json('bulk', doc_id => $doc{b}, base_revision => 1, payload => 'branch'),
		op_json('interactive', doc_id => $doc{c}, base_revision => 1, deleted => 1) ]);
wait_applied($source);
my (undef, $phone_cursor) = paws_pull($source, $phone);
my (undef, $tablet_cursor) = paws_pull($source, $tablet);
$source->safe_psql('postgres', <<"SQL");
SELECT paws_sync.ack('$phone', '$phone_cursor');
SELECT paws_sync.revoke_device('$lost');
SELECT paws_sync.define_collection('added', 'control', 'append');
SELECT paws_sync.set_policy('standard', 'grace_period', 'control', 400);
SELECT paws_sync.set_policy('standard', 'premium', 'control', 450);
SELECT paws_sync.set_policy('standard', 'grace_period', 'control', 300);
SELECT paws_sync.set_policy('bulk', 'grace_period', 'standard', 200);
SELECT paws_sync.set_policy('bulk', 'premium', 'standard', 300);
UPDATE paws_queue.policy SET target_ms = 201 WHERE class = 7 AND tier = 4 AND NOT shipped;
SELECT paws_sync.set_tier_policy('basic', max_devices => 3);
-- however much the load below pushes
SELECT paws_sync.set_tier_policy('grace_period', ops_per_second => 1000000, ops_burst => 1000000, bytes_per_second => 1000000000, bytes_burst => 1000000000);
SQL

# Roles belong to a server; what they were given comes with the dump.
$_->safe_psql('postgres', 'CREATE ROLE backend; CREATE ROLE "the desk"') foreach $source, $target;
$source->safe_psql('postgres', "SELECT paws_sync.grant_profile('backend', 'app'), paws_sync.grant_profile('the desk', 'operator'),"
	. " paws_sync.grant_profile('the desk', 'billing')");
$source->safe_psql('postgres', "SELECT paws_sync.revoke_profile('the desk', 'billing')");

# A dump under load, for later.
my $load = start_load($source, 'postgres', 2, push_some($two, 5));
ok(until_sql($source, 'SELECT sum(operations) > 50 FROM paws_sync.pg_stat_paws_sync_workers'), 'workers are busy');
my $busy = $source->basedir . '/busy.dump';
dump_to($busy, '-Fc');
end_load($load);
wait_applied($source);

# And one of a quiet server in which operations wait.
set_option($source, 'paws_sync.databases', "''");
ok(has_workers($source, 'postgres', 0), 'workers off');
my @waiting = map { op_json('standard', payload => "waiting $_") } 1 .. 5;
paws_push($source, $phone, \@waiting);
is($source->safe_psql('postgres', push_some($two, 30)), 30, 'operations wait');
my $quiet = $source->basedir . '/quiet.dump';
my $plain = $source->basedir . '/quiet.sql';
dump_to($quiet, '-Fc');
dump_to($plain, '-Fp');
copy_keyring($source, $target);
unlike(slurp_file($plain), qr/the plan|waiting [1-5]|newer/, 'no payload is readable in a dump');

# Nothing is forgotten: every table and sequence of ours is marked for dump.
is($source->safe_psql('postgres', <<'SQL'), '', 'every table and sequence is part of a dump');
SELECT string_agg(c.oid::regclass::text, ' ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname LIKE 'paws\_%' AND c.relkind IN ('r', 'S', 'p')
AND NOT c.oid = ANY ((SELECT extconfig FROM pg_extension WHERE extname = 'paws_sync')::oid[])
SQL

# Restored in all the usual ways into a server that has the key and no workers yet.
my $expected = content($source, 'postgres');
my $grants = grants($source, 'postgres');
like($grants, qr/^paws_sync\.push\(.*\|backend\|EXECUTE$/m, 'roles have profiles');
my %way = (
	custom => [ 'pg_restore', '--exit-on-error', $quiet ],
	parallel => [ 'pg_restore', '--exit-on-error', '-j', '2', $quiet ],
	single => [ 'pg_restore', '--exit-on-error', '--single-transaction', $quiet ],
	script => [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', $source->basedir . '/script.out', '-f', $plain ]);
foreach my $name (sort keys %way)
{
	$target->safe_psql('postgres', "CREATE DATABASE $name");
	$target->command_ok([ @{ $way{$name} }, '-d', $target->connstr($name) ], "restored ($name)");
	is_deeply(content($target, $name), $expected, 'every table and sequence is as it was');
	is(grants($target, $name), $grants, 'and so is what roles were given');
}

# Identity, keys and documents: before any worker runs.
is($target->safe_psql('custom', "SELECT paws_sync.subject_for('one')"), $subject, 'the same reference is the same subject');
is($target->safe_psql('custom', "SELECT count(*), count(revoked_at) FROM paws_sync.devices('$subject')"), '3|1', 'devices are known');
my ($old_phone) = everything_of($source, 'postgres', $phone, $phone_cursor);
my ($new_phone) = everything_of($target, 'custom', $phone, $phone_cursor);
is($new_phone, $old_phone, 'a cursor goes on');
my ($old_all) = everything_of($source, 'postgres', $tablet);
my ($new_all) = everything_of($target, 'custom', $tablet);
is($new_all, $old_all, 'all documents are read');
like($new_all, qr/the plan/, 'those of the crisis lane too');
is($target->safe_psql('custom', 'SELECT string_agg(class || tier::text || level || target::text, E\'\n\' ORDER BY class, tier) FROM paws_sync.policy'),
	$source->safe_psql('postgres', 'SELECT string_agg(class || tier::text || level || target::text, E\'\n\' ORDER BY class, tier) FROM paws_sync.policy'), 'the policy is in force');
my ($receipt) = paws_push($target, $phone, [$done], 'custom');
is("$receipt->{outcome} $receipt->{receipt} $receipt->{revision}", 'duplicate applied 2', 'receipts are known');
($receipt) = paws_push($target, $phone, [ $waiting[0] ], 'custom');
is("$receipt->{outcome} $receipt->{receipt}", 'duplicate ', 'so is what waits');
error_like($target, "SELECT * FROM paws_sync.pull('$lost')", 'PW004', undef, 'the revoked device is still revoked', database => 'custom');

# Workers do what waits, here as there.
set_option($target, 'paws_sync.databases', q{'custom, live'});
ok(until_sql($target, workers_are('custom', 2), database => 'custom'), 'workers on');
ok(until_sql($target, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)', database => 'custom'), 'what waited is applied');
is($target->safe_psql('custom', 'SELECT sum(depth) FROM paws_sync.pg_stat_paws_sync_lanes'), 0, 'depths are right');
set_option($source, 'paws_sync.databases', "'postgres'");
wait_applied($source);
my ($there, $source_cursor) = everything_of($source, 'postgres', $tablet);
my ($here) = everything_of($target, 'custom', $tablet);
is(join("\n", sort split /\n/, $here), join("\n", sort split /\n/, $there), 'with the same result as on the old server');
is($target->safe_psql('custom', push_some($phone, 10)), 10, 'and it goes on');
paws_push($target, $phone, [ op_json('added', payload => 'numbers go on') ], 'custom');
ok(until_sql($target, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)', database => 'custom'), 'with new work');
$target->safe_psql('custom', "SELECT paws_sync.register_device(paws_sync.subject_for('new'), 'ios'); SELECT paws_sync.define_collection('more', 'bulk')");
pass('new devices and collections have numbers of their own');

# A device that was ahead of the dump: it saw what the restored server does not have, and is told so, now and
# after the restored server has come as far with other changes.
paws_push($source, $phone, [ op_json('standard', payload => "after the dump $_") ]) foreach 1 .. 3;
wait_applied($source);
(undef, my $ahead) = everything_of($source, 'postgres', $tablet, $source_cursor);
$target->safe_psql('postgres', 'CREATE DATABASE behind');
$target->command_ok([ 'pg_restore', '-d', $target->connstr('behind'), $quiet ], 'restored to the time of the dump');
my ($rows) = paws_pull($target, $tablet, $ahead, 'behind');
is("$rows->[0]{kind} $rows->[0]{code}", 'reset cursor_reset', 'a cursor from after the dump is reset');
is(scalar(grep { $_->{payload} eq 'the plan' } @$rows), 0, 'the crisis lane, which did not move, goes on');
is(scalar(grep { $_->{kind} eq 'change' && $_->{payload} eq 'second' } @$rows), 1, 'and the device gets all documents');
set_option($target, 'paws_sync.databases', q{'behind, live'});
ok(until_sql($target, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)', database => 'behind'), 'it does what waited');
$target->safe_psql('behind', push_some($phone, 20));
ok(until_sql($target, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)', database => 'behind'), 'and overtakes that cursor');
($rows) = paws_pull($target, $tablet, $ahead, 'behind');
is("$rows->[0]{kind} $rows->[0]{code}", 'reset cursor_reset', 'which is still reset');

# The dump of the busy server is one moment of it, and each operation is in it once: waiting or finished.
$target->safe_psql('postgres', 'CREATE DATABASE busy');
$target->command_ok([ 'pg_restore', '--exit-on-error', '-d', $target->connstr('busy'), $busy ], 'the dump under load is restored');
is($target->safe_psql('busy', 'SELECT count(*) FROM paws_queue.operation o JOIN paws_care.feed f USING (device_no, op_id)'), 0, 'nothing both waits and is finished');
is($target->safe_psql('busy', 'SELECT count(*) FROM paws_care.counter c WHERE position <> (SELECT coalesce(max(position), 0) FROM paws_care.feed f WHERE f.subject_no = c.subject_no)'), 0, 'counters and feeds agree');
my $all = $target->safe_psql('busy', 'SELECT (SELECT count(*) FROM paws_queue.operation) + (SELECT count(*) FROM paws_care.feed)');
set_option($target, 'paws_sync.databases', q{'busy, live'});
ok(until_sql($target, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)', database => 'busy'), 'its workers do the rest');
is($target->safe_psql('busy', 'SELECT count(*) FROM paws_care.feed'), $all, 'each operation has one receipt');

# Into a database that is served already: workers find the extension while its tables are still being filled.
# In two parts, as a large one would be: the queue is there long before what its operations belong to.
my $list = $source->basedir . '/list';
my ($toc) = run_command([ 'pg_restore', '-l', $quiet ]);
my (@first, @second);
foreach (grep { !/^;/ } split /\n/, $toc)
{
	push @{ /TABLE DATA|SEQUENCE SET/ && !/ paws_queue / ? \@second : \@first }, $_;
}
PostgreSQL::Test::Utils::append_to_file("$list.1", join("\n", @first) . "\n");
PostgreSQL::Test::Utils::append_to_file("$list.2", join("\n", @second) . "\n");
$target->safe_psql('postgres', 'CREATE DATABASE live');
ok(until_sql($target, "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = 'live' AND backend_type = 'paws_sync scheduler'"), 'a listed database');
$target->command_ok([ 'pg_restore', '--exit-on-error', '-d', $target->connstr('live'), '-L', "$list.1", $quiet ], 'is restored with its workers running');
ok(until_sql($target, workers_are('live', 2), database => 'live'), 'which find the extension');
my $turns = $target->safe_psql('live', "SELECT batches + 2 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler' AND database = 'live'");
ok(until_sql($target, "SELECT batches >= $turns FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler' AND database = 'live'", database => 'live'), 'and look at it');
$target->command_ok([ 'pg_restore', '--exit-on-error', '-d', $target->connstr('live'), '-L', "$list.2", $quiet ], 'the rest comes later');
ok(until_sql($target, 'SELECT NOT EXISTS (SELECT FROM paws_queue.operation)', database => 'live', seconds => 20), 'what waited is applied');
is($target->safe_psql('live', 'SELECT count(*) FROM paws_care.feed WHERE outcome = 4'), 0, 'none of it was rejected while the rest was missing');
($here) = everything_of($target, 'live', $tablet);
is(scalar(grep { /waiting/ } split /\n/, $here), 5, 'all of it is there');
$turns = $target->safe_psql('live', "SELECT batches + 5 FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler' AND database = 'live'");
ok(until_sql($target, "SELECT batches >= $turns FROM paws_sync.pg_stat_paws_sync_workers WHERE kind = 'scheduler' AND database = 'live'", database => 'live'), 'the scheduler has looked again');
set_option($target, 'paws_sync.databases', "''");
ok(until_sql($target, workers_are('live', 0), database => 'live'), 'workers off');
is($target->safe_psql('live', push_some($phone, 7)), 7, 'something waits');
is($target->safe_psql('live', 'SELECT sum(depth) FROM paws_sync.pg_stat_paws_sync_lanes'), 7, 'depths count it, not what was restored');

crash_free($_) foreach $source, $target;
$source->stop;
$target->stop;
done_testing();
