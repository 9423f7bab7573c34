# Clients that submit jobs and work on them, each a pgbench in a process of its own, so that they can be killed. What
# they did is in tables of schema x, written in the transactions that it happened in:
#
#   x.submitted   one row for each job, in the transaction that submitted it
#   x.claimed     one row for each claim, committed with it: when, and for how long
#   x.effect      one row for each time that the work of a job was done: with complete in one transaction, or before it
#
#   my $jobs = PawsJobs->new($node, lease => '1 second');
#   $jobs->start('submit'), $jobs->start('work'), ...; kill ...; $jobs->stop; $jobs->drain; $jobs->check('what');

package PawsJobs;

use strict;
use warnings;

use PawsNode;
use POSIX qw(WNOHANG);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# What the clients of a kind do, again and again. A client that finds nothing rests for a moment.
my %SCRIPT = (
	# one to five jobs, some of them of a person, some with an ordering key; now and then rolled back
	submit => <<'SQL',
\set n random(1, 5)
\set lost random(1, 20)
SELECT x.submit(:n, :lost = 1);
\sleep 2 ms
SQL
	# the same with less haste, so that nothing waits for long
	trickle => <<'SQL',
\set n random(1, 5)
SELECT x.submit(:n, false);
\sleep 30 ms
SQL
	# claims in one transaction, works and completes in another
	work => <<'SQL',
SELECT job, fence FROM x.claim_one() \gset
\set pause random(0, 4)
\sleep :pause ms
SELECT x.finish(:job, :fence);
SQL
	# all in one transaction
	quick => <<'SQL',
SELECT x.work(5);
\sleep 1 ms
SQL
	# works first, and completes many without waiting for the disk
	loose => <<'SQL',
SELECT x.work_loosely(20);
\sleep 2 ms
SQL
	# takes what it can and does nothing with it
	dead => <<'SQL',
SELECT count(*) FROM x.claim_some(3);
\sleep 50 ms
SQL
);

# lease: of the topics 'exact' and 'loose'.
sub new
{
	my ($class, $node, %o) = @_;
	my $lease = $o{lease} // '2 seconds';
	my $self = bless { node => $node, running => [], number => 0 }, $class;

	$node->safe_psql('postgres', <<"SQL");
SELECT paws_sync.define_topic(t, lease => '$lease', max_attempts => 1000, backoff => '1 ms', max_backoff => '10 ms') FROM unnest('{exact,loose}'::text[]) AS t;
SELECT paws_sync.set_tier_policy('trial', ops_per_second => 1000000, ops_burst => 1000000);
CREATE SCHEMA x;
CREATE TABLE x.person AS SELECT paws_sync.subject_for('person ' || n) AS subject FROM generate_series(1, 3) AS n;
CREATE TABLE x.submitted (job bigint PRIMARY KEY, topic text);
CREATE TABLE x.claimed (job bigint, fence bigint, at timestamptz DEFAULT clock_timestamp(), until timestamptz);
CREATE TABLE x.effect (job bigint, fence bigint);
CREATE FUNCTION x.submit(n integer, lost boolean) RETURNS void LANGUAGE plpgsql AS
\$\$
DECLARE
	topic text := CASE WHEN random() < 0.7 THEN 'exact' ELSE 'loose' END;
BEGIN
	INSERT INTO x.submitted SELECT s.job, topic FROM paws_sync.submit_many(topic, array_fill('work'::bytea, ARRAY[n]),
		subjects => ARRAY(SELECT CASE WHEN random() < 0.5 THEN (SELECT subject FROM x.person OFFSET (random() * 2 + i * 0)::integer LIMIT 1) END FROM generate_series(1, n) AS i),
		ordering_keys => ARRAY(SELECT CASE WHEN random() < 0.2 THEN 'key ' || (random() * 10)::integer END FROM generate_series(1, n))) AS s;
	IF lost THEN
		RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'rolled back';
	END IF;
EXCEPTION WHEN serialization_failure THEN
END
\$\$;
CREATE FUNCTION x.claim_some(n integer) RETURNS TABLE (job bigint, fence bigint) LANGUAGE plpgsql AS
\$\$
BEGIN
	RETURN QUERY WITH c AS (SELECT * FROM paws_sync.claim('{exact}', n)), i AS (INSERT INTO x.claimed SELECT c.job, c.fence, clock_timestamp(), c.leased_until FROM c)
		SELECT c.job, c.fence FROM c;
END
\$\$;
CREATE FUNCTION x.claim_one(OUT job bigint, OUT fence bigint) LANGUAGE plpgsql AS
\$\$
BEGIN
	SELECT c.job, c.fence INTO job, fence FROM x.claim_some(1) c;
	IF NOT FOUND THEN
		job := 0;
		fence := 0;
		PERFORM pg_sleep(0.01);
	END IF;
END
\$\$;
-- a lease that was lost while the client slept is nobody's fault, and takes the effect back
CREATE FUNCTION x.finish(job bigint, fence bigint) RETURNS text LANGUAGE plpgsql AS
\$\$
BEGIN
	IF job = 0 THEN
		RETURN 'nothing';
	END IF;
	INSERT INTO x.effect VALUES (job, fence);
	RETURN paws_sync.complete(job, fence);
EXCEPTION WHEN SQLSTATE 'PW011' THEN
	RETURN 'lost';
END
\$\$;
CREATE FUNCTION x.work(n integer) RETURNS integer LANGUAGE plpgsql AS
\$\$
DECLARE
	c record;
	done integer := 0;
BEGIN
	FOR c IN SELECT * FROM x.claim_some(n) LOOP
		INSERT INTO x.effect VALUES (c.job, c.fence);
		PERFORM paws_sync.complete(c.job, c.fence);
		done := done + 1;
	END LOOP;
	RETURN done;
END
\$\$;
CREATE FUNCTION x.work_loosely(n integer) RETURNS integer LANGUAGE plpgsql AS
\$\$
DECLARE
	jobs bigint[];
	fences bigint[];
BEGIN
	SELECT array_agg(c.job), array_agg(c.fence) INTO jobs, fences FROM paws_sync.claim('{loose}', n) c;
	IF jobs IS NULL THEN
		RETURN 0;
	END IF;
	INSERT INTO x.effect SELECT * FROM unnest(jobs, fences);
	RETURN (SELECT count(*) FROM paws_sync.complete_many(jobs, fences, durable => false) WHERE outcome = 'completed');
END
\$\$;
SQL
	return $self;
}

# Starts a client of a kind with some connections; returns its process id.
sub start
{
	my ($self, $kind, $connections) = @_;
	my $node = $self->{node};
	my $base = "$PostgreSQL::Test::Utils::tmp_check/" . $node->name . "_$kind" . ++$self->{number};
	my @command = (
		$node->installed_command('pgbench'), '-n', '-c', $connections // 2, '-T', 100000, '-f', "$base.sql", '-d',
		$node->connstr('postgres') . " application_name=$kind");

	append_to_file("$base.sql", $SCRIPT{$kind});
	my $pid = fork() // die "could not fork: $!";
	if ($pid == 0)
	{
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>', "$base.out");
		open(STDERR, '>', "$base.out");
		exec(@command) or POSIX::_exit(127);
	}
	push @{ $self->{running} }, { pid => $pid, kind => $kind, connections => $connections, out => "$base.out" };
	return $pid;
}

# Kills a client of a kind at once, if there is one.
sub kill_client
{
	my ($self, $kind) = @_;
	my ($victim) = grep { $_->{kind} eq $kind } @{ $self->{running} };

	return 0 unless $victim;
	$self->_end($victim, 'KILL');
	return 1;
}

sub _end
{
	my ($self, $client, $signal) = @_;

	kill($signal, $client->{pid});
	waitpid($client->{pid}, 0);
	$self->{running} = [ grep { $_ != $client } @{ $self->{running} } ];
	return;
}

# Ends all clients: at once, in the middle of whatever they do.
sub stop
{
	my ($self) = @_;

	$self->_end($_, 'KILL') foreach @{ $self->{running} };
	return;
}

# Kills a server process that serves a kind of clients. The server resets itself; clients end by themselves.
sub kill_backend
{
	my ($self, $kind) = @_;
	my $pid = $self->{node}->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE application_name = '$kind' ORDER BY state = 'active' DESC, random() LIMIT 1");

	return 0 if $pid eq '';
	kill('KILL', $pid);
	wait_for_sql($self->{node}, 'the server to come back', 'SELECT true');
	$self->stop;
	return 1;
}

# Works until nothing is left, with clients that nobody kills.
sub drain
{
	my ($self) = @_;

	$self->start('work', 4);
	$self->start('loose', 1);
	wait_for_sql($self->{node}, 'all jobs to be done',
		"SELECT NOT EXISTS (SELECT FROM paws_queue.job j JOIN paws_queue.topic t USING (topic_no) WHERE t.name IN ('exact', 'loose'))",
		'SELECT count(*), count(*) FILTER (WHERE available), max(attempts) FROM paws_queue.job');
	$self->stop;
	return;
}

# Every job that was submitted was done: exactly once if that was one transaction with complete, else at least once;
# and none that was not.
sub check
{
	my ($self, $what) = @_;
	my $node = $self->{node};
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	my $count = $node->safe_psql('postgres', 'SELECT count(*) FROM x.submitted');
	cmp_ok($count, '>', 0, "$what: $count jobs");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM x.submitted s WHERE NOT EXISTS (SELECT FROM x.effect e WHERE e.job = s.job)'),
		0, "$what: each was done at least once");
	is($node->safe_psql('postgres', "SELECT count(*) FROM (SELECT e.job FROM x.effect e JOIN x.submitted s USING (job) WHERE s.topic = 'exact' "
			  . 'GROUP BY e.job HAVING count(*) > 1) AS d'),
		0, "$what: exactly once where complete was of the same transaction");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM x.effect e WHERE NOT EXISTS (SELECT FROM x.submitted s WHERE s.job = e.job)'),
		0, "$what: nothing was done that was not submitted");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT fence FROM x.claimed GROUP BY fence HAVING count(DISTINCT job) > 1) AS f'),
		0, "$what: no fence was given twice");
	is($node->safe_psql('postgres', "SELECT coalesce(sum(dead), 0) FROM paws_sync.pg_stat_paws_sync_topics WHERE topic IN ('exact', 'loose')"),
		0, "$what: none is dead");
	is($node->safe_psql('postgres', "SELECT string_agg(topic || ' ' || waiting || ' ' || delayed || ' ' || running, ', ' ORDER BY topic) "
			  . "FROM paws_sync.pg_stat_paws_sync_topics WHERE topic IN ('exact', 'loose')"),
		'exact 0 0 0, loose 0 0 0', "$what: the counters say so");
	return;
}

# How long after the end of its lease a job that nobody finished was claimed again, at most, in seconds.
sub longest_hold
{
	my ($self) = @_;
	return $self->{node}->safe_psql('postgres', <<'SQL');
SELECT coalesce(max(extract(epoch FROM next_at - until)), 0) FROM (
	SELECT until, lead(at) OVER (PARTITION BY job ORDER BY at) AS next_at FROM x.claimed) AS c WHERE next_at > until
SQL
}

1;
