# One job in every 1,000 is poison: its worker fails, or dies with it. The others are not delayed by more than a batch:
# counted in claims, not in time. And a poison is tried as often as its topic says, then it is a dead letter.

use strict;
use warnings;

use PawsNode;
use PostgreSQL::Test::Utils;
use Test::More;

my $JOBS = 4000;
my $BATCH = 50;
my $ATTEMPTS = 3;

my $node = PawsNode->new_node('jobs_poison', 'paws_sync.pool_size' => 1);

sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(<<"SQL");
SELECT paws_sync.define_topic('exports', max_attempts => $ATTEMPTS, backoff => '1 ms', max_backoff => '1 ms', lease => '100 ms');
CREATE TABLE x_job (job bigint PRIMARY KEY, n integer, poison boolean);
CREATE TABLE x_claim (batch integer, job bigint, attempt integer);
CREATE SEQUENCE x_batch;
SQL

# How poison ends: by fail, or by a worker that never comes back, so that its lease is over.
foreach my $kind (qw(fails dies))
{
	sql('TRUNCATE x_job, x_claim; ALTER SEQUENCE x_batch RESTART');
	sql(<<"SQL");
INSERT INTO x_job SELECT s.job, g.first + s.item, (g.first + s.item) % 1000 = 500
FROM generate_series(0, $JOBS - 1, 1000) AS g (first), LATERAL paws_sync.submit_many('exports',
	ARRAY(SELECT CASE WHEN n % 1000 = 500 THEN 'poison'::bytea ELSE 'good' END FROM generate_series(g.first + 1, g.first + 1000) n)) s
SQL
	is(sql('SELECT count(*), count(*) FILTER (WHERE poison) FROM x_job'), "$JOBS|" . $JOBS / 1000, "$kind: the jobs are there");

	# One worker, batch by batch, until nothing but what waits for its time is left.
	sql(<<"SQL");
CREATE OR REPLACE PROCEDURE x_work() LANGUAGE plpgsql AS
\$\$
DECLARE
	b integer;
	good bigint[];
	fences bigint[];
BEGIN
	LOOP
		CREATE TEMP TABLE c ON COMMIT DROP AS SELECT * FROM paws_sync.claim('{exports}', $BATCH);
		EXIT WHEN NOT EXISTS (SELECT FROM c) AND NOT EXISTS (SELECT FROM paws_queue.job);
		IF EXISTS (SELECT FROM c) THEN
			b := nextval('x_batch');
			INSERT INTO x_claim SELECT b, c.job, c.attempt FROM c;
			SELECT array_agg(c.job), array_agg(c.fence) INTO good, fences FROM c WHERE payload = 'good';
			PERFORM paws_sync.complete_many(good, fences) WHERE good IS NOT NULL;
			IF '$kind' = 'fails' THEN
				PERFORM paws_sync.fail(c.job, c.fence, reason => 'invalid') FROM c WHERE payload = 'poison';
			END IF;
		ELSE
			PERFORM pg_sleep(0.005);
		END IF;
		COMMIT;
	END LOOP;
END
\$\$;
CALL x_work();
SQL
	is(sql('SELECT count(*) FROM x_job j WHERE NOT poison AND NOT EXISTS (SELECT FROM x_claim c WHERE c.job = j.job)'), 0,
		"$kind: all good jobs were done");
	is(sql('SELECT count(*) FROM (SELECT FROM x_claim c JOIN x_job j USING (job) WHERE NOT poison GROUP BY job HAVING count(*) > 1) AS d'), 0,
		"$kind: each once");
	is(sql('SELECT string_agg(DISTINCT n::text, \' \') FROM (SELECT count(*) AS n FROM x_claim JOIN x_job USING (job) WHERE poison GROUP BY job) AS p'),
		$ATTEMPTS, "$kind: each poison was tried as often as the topic says");

	# Without poison job n would be in claim number n / batch. A poison takes the place of one good job for each of
	# its attempts, wherever these are: so no job comes later than those places, and one claim more.
	my $late = sql(<<"SQL");
SELECT max(c.batch - 1 - (j.n - 1) / $BATCH) FROM x_claim c JOIN x_job j USING (job) WHERE NOT poison
SQL
	cmp_ok($late, '<=', 1, "$kind: no good job came more than a batch later ($late)");

	is(sql("SELECT count(*), string_agg(DISTINCT reason::text, ' '), string_agg(DISTINCT attempts::text, ' ') FROM paws_sync.dead_letters('exports')"),
		$JOBS / 1000 . ($kind eq 'fails' ? '|invalid|' : '|lease_expired|') . $ATTEMPTS, "$kind: the poison is among the dead letters");
	is(sql("SELECT waiting, delayed, running, dead FROM paws_sync.pg_stat_paws_sync_topics"), '0|0|0|' . $JOBS / 1000, "$kind: the counters say so");

	# Redriven and mended, they are done.
	is(sql("SELECT paws_sync.redrive('exports')"), $JOBS / 1000, "$kind: redriven");
	is(sql("SELECT count(paws_sync.complete(job, fence)), min(attempt) FROM paws_sync.claim('{exports}', 100)"), $JOBS / 1000 . '|1', "$kind: and done");
}

$node->stop;
done_testing();
