# The reserve: of the byte budget and of the pool's time ordinary work gets its share, and what crisis leaves idle of the
# rest. Crisis is never asked. What is claimed are bounds that hold at any speed of the machine.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use PawsNode;
use PawsProbe;

my $BUDGET = 2000 * 1024;
my $node = PawsNode->new_node('reserve', 'paws_sync.pool_size' => 1, 'max_connections' => 80);

sub sql { return $node->safe_psql('postgres', $_[0]) }

# used_by_crisis, used_by_ordinary, lent, held_back of a resource, and the clock in seconds.
sub reserve
{
	my ($resource) = @_;
	my %r;

	@r{qw(crisis ordinary lent held_back at)} = split /\|/, sql('SELECT used_by_crisis, used_by_ordinary, lent, held_back, extract(epoch FROM clock_timestamp()) '
		  . "FROM paws_sync.pg_stat_paws_sync_reserve WHERE resource = '$resource'");
	return \%r;
}

sub difference
{
	my ($before, $after) = @_;
	return { map { $_ => $after->{$_} - $before->{$_} } keys %$before };
}

sub start_clients
{
	my ($name, $clients, $script) = @_;
	my $file = $node->basedir . "/$name.sql";

	append_to_file($file, $script);
	return IPC::Run::start([ 'pgbench', '-n', '-M', 'prepared', '-c', $clients, '-T', 120, '-f', $file, '-h', $node->host, '-p', $node->port,
			'-U', 'postgres', 'postgres' ], '<', \undef, '>', $node->basedir . "/$name.log", '2>&1');
}

# Waits until ordinary work used so much more of a resource, and returns what happened meanwhile.
sub watch
{
	my ($resource, $much) = @_;
	my $before = reserve($resource);

	ok(within(120, sub { reserve($resource)->{ordinary} - $before->{ordinary} > $much }), "ordinary work goes on ($resource)");
	return difference($before, reserve($resource));
}

sub push_script
{
	my ($device, $collection, $bytes, $count) = @_;

	return <<"SQL";
SELECT count(*) FROM paws_sync.push_many('$device', ARRAY(SELECT gen_random_uuid() FROM generate_series(1, $count)), array_fill('$collection'::text, ARRAY[$count]),
	ARRAY(SELECT gen_random_uuid() FROM generate_series(1, $count)), array_fill(0::bigint, ARRAY[$count]), array_fill(convert_to(repeat('x', $bytes), 'UTF8'), ARRAY[$count]));
SQL
}

sub crisis_script
{
	my ($device) = @_;
	return "SELECT count(*) FROM paws_sync.push('$device', jsonb_build_array(jsonb_build_object('op_id', gen_random_uuid(), 'doc_id', gen_random_uuid(), "
	  . "'collection', 'emergency', 'base_revision', 0, 'payload', 'aGVscA==')));\n\\sleep 2 ms\n";
}

sql("SELECT paws_sync.set_tier_policy(tier, 1000000, 1000000, 1000000000, 1000000000, NULL, 100, NULL, NULL, NULL, 1000000000, 1000000000) FROM unnest(enum_range(NULL::paws_sync.tier)) AS tier");
new_subject($node, 'ordinary', 'premium');
my $ordinary = new_device($node, 'ordinary');
my @crisis = map { new_device($node, "crisis $_") } 1 .. 3;

# Settings and what they show.
is(sql("SELECT capacity IS NULL FROM paws_sync.pg_stat_paws_sync_reserve WHERE resource = 'bytes'"), 't', 'no budget by default');
is(sql("SELECT capacity || ' ' || reserved FROM paws_sync.pg_stat_paws_sync_reserve WHERE resource = 'worker_time'"), '1000000 200000', 'one worker has a second in each');
set_option($node, 'paws_sync.byte_budget', "'2000kB'");
ok(until_sql($node, "SELECT capacity = $BUDGET AND reserved = $BUDGET / 5 FROM paws_sync.pg_stat_paws_sync_reserve WHERE resource = 'bytes'"), 'a budget is in force');
error_like($node, "ALTER SYSTEM SET paws_sync.crisis_reserve = 81", '22023', undef, 'a reserve of nearly all is refused');
error_like($node, "ALTER SYSTEM SET paws_sync.crisis_reserve = -1", '22023', undef, 'as is a negative one');
error_like($node, "ALTER SYSTEM SET paws_sync.byte_budget = -1", '22023', undef, 'and a negative budget');

# More is pushed than the budget has, and crisis is quiet: all of it is used, what is beyond the share was lent.
pause_workers($node);
my $load = start_clients('ordinary', 4, push_script($ordinary, 'background', 10_000, 4) . "\\sleep 5 ms\n");
within(60, sub { reserve('bytes')->{held_back} > 0 });
my $quiet = watch('bytes', 3 * $BUDGET);
my $slack = 0.02 * $BUDGET + 10_000;
cmp_ok($quiet->{ordinary}, '<=', $BUDGET * $quiet->{at} + $slack, 'no more than the budget');
cmp_ok($quiet->{lent}, '>', 0, 'of which the reserve is lent');
cmp_ok($quiet->{ordinary} - $quiet->{lent}, '<=', 0.8 * $BUDGET * $quiet->{at} + $slack, 'and the rest is the ordinary share');
cmp_ok($quiet->{held_back}, '>', 0, 'what was above is refused');

# Crisis is at work without a pause: less of the reserve is lent, and crisis gets all it wants. Then it is lent again.
my @crisis_load = map { start_clients("crisis $_", 1, crisis_script($crisis[$_])) } 0 .. 2;
ok(until_sql($node, "SELECT held FROM paws_sync.pg_stat_paws_sync_reserve WHERE resource = 'bytes'"), 'the reserve is taken back');
my $busy = watch('bytes', 3 * $BUDGET);
cmp_ok($busy->{ordinary}, '<=', $BUDGET * $busy->{at} + $slack, 'no more than the budget');
cmp_ok($busy->{ordinary} - $busy->{lent}, '<=', 0.8 * $BUDGET * $busy->{at} + $slack, 'the ordinary share is no larger than before');
cmp_ok($busy->{lent} / $busy->{ordinary}, '<', $quiet->{lent} / $quiet->{ordinary}, 'less is lent while crisis is at work');
cmp_ok($busy->{crisis}, '>', 0, 'and crisis says what it used');
end_load($load);

# The pool: with a backlog, and crisis at work, it rests between batches; without, it does not.
set_option($node, 'paws_sync.byte_budget', 0);
ok(until_sql($node, "SELECT capacity IS NULL FROM paws_sync.pg_stat_paws_sync_reserve WHERE resource = 'bytes'"), 'no budget again');
sql(push_script($ordinary, 'background', 100, 5000)) foreach 1 .. 8;
resume_workers($node);
$busy = watch('worker_time', 400_000);
cmp_ok($busy->{held_back}, '>', 0, 'workers rest for crisis');
cmp_ok(($busy->{ordinary} - $busy->{lent}) / 1e6, '<=', 0.8 * $busy->{at} + 0.1, 'and have no more than their share of the time');
end_load($_) foreach @crisis_load;
ok(until_sql($node, "SELECT NOT held FROM paws_sync.pg_stat_paws_sync_reserve WHERE resource = 'worker_time'"), 'crisis is quiet');
sql(push_script($ordinary, 'background', 100, 5000)) foreach 1 .. 4;
$quiet = watch('worker_time', 300_000);
is($quiet->{held_back}, 0, 'then no worker rests for it');
cmp_ok($quiet->{lent}, '>', 0, 'the time is lent');
wait_applied($node);

# Nothing but crisis with something to tell takes the reserve: not pulls that find nothing of it, nor pushes.
my $before = reserve('worker_time');
my $reader = new_device($node, 'ordinary', 'web');
sql("SELECT count(*) FROM paws_sync.pull('$reader')") foreach 1 .. 3;
sql(push_some($ordinary, 10)) foreach 1 .. 3;
is(reserve('worker_time')->{crisis}, $before->{crisis}, 'ordinary calls report nothing of crisis');
my $crisis_reader = new_device($node, 'crisis 1', 'web');
$before = reserve('bytes');
sql("SELECT count(*) FROM paws_sync.pull_crisis('$crisis_reader')");
my $after_pull = reserve('bytes');
cmp_ok($after_pull->{crisis}, '>', $before->{crisis}, 'a pull of crisis documents does');
sql("SELECT count(*) FROM paws_sync.crisis_bundle('$crisis_reader')");
cmp_ok(reserve('bytes')->{crisis}, '>', $after_pull->{crisis}, 'and a bundle');

# A budget that is used up by far, and a reserve of nothing, change nothing for crisis.
set_option($node, 'paws_sync.byte_budget', 1);
set_option($node, 'paws_sync.crisis_reserve', 0);
ok(until_sql($node, "SELECT capacity = 1024 AND reserved = 0 FROM paws_sync.pg_stat_paws_sync_reserve WHERE resource = 'bytes'"), 'a budget of 1 kB, and no reserve');
sql(push_script($ordinary, 'background', 500_000, 1));
like(sql("SELECT string_agg(outcome || coalesce(' ' || code, ''), ', ' ORDER BY item) FROM paws_sync.push('$ordinary', '[@{[ op_json('standard') ]}, @{[ op_json('emergency', payload => 'x' x 100000) ]}]')"),
	qr/^limited budget, accepted$/, 'crisis is accepted where ordinary work is refused by the budget');
is(sql("SELECT count(*) > 0 FROM paws_sync.pull_crisis('$crisis_reader') WHERE payload IS NOT NULL"), 't', 'and read');
is(sql("SELECT string_agg(DISTINCT kind || ' ' || code, ', ') FROM paws_sync.pull('$reader') WHERE kind = 'limited'"), 'limited budget', 'an ordinary page says why it ends');

crash_free($node);
$node->stop;
done_testing();
