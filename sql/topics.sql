-- Topics: kinds of jobs. Defined, changed, listed, paused, dropped when nothing of theirs is left.
\set SHOW_CONTEXT never
SELECT paws_sync.define_topic('exports');
SELECT paws_sync.define_topic('reminders', max_attempts => 3, backoff => '2 s', max_backoff => '1 min', lease => '5 s',
	in_flight_per_flow => 1, history => '2 hours', dead_letters_kept => '7 days');
SELECT name, max_attempts, backoff, max_backoff, lease, in_flight_per_flow, history, dead_letters_kept, paused, defined_at IS NOT NULL AS defined
FROM paws_sync.topics() WHERE name IN ('exports', 'reminders') ORDER BY name;

-- defined again, it is changed as a whole; a rollback takes it back
BEGIN;
SELECT paws_sync.define_topic('reminders', max_attempts => 4);
SELECT max_attempts, lease FROM paws_sync.topics() WHERE name = 'reminders';
ROLLBACK;
SELECT max_attempts, lease FROM paws_sync.topics() WHERE name = 'reminders';

-- names are codes, numbers have bounds
SELECT paws_sync.define_topic(NULL);
SELECT paws_sync.define_topic('');
SELECT paws_sync.define_topic('Jane Doe');
SELECT paws_sync.define_topic(repeat('a', 32));
SELECT paws_sync.define_topic(repeat('a', 10000000));
SELECT paws_sync.define_topic('t', max_attempts => 0);
SELECT paws_sync.define_topic('t', max_attempts => NULL);
SELECT paws_sync.define_topic('t', max_attempts => 100000);
SELECT paws_sync.define_topic('t', backoff => '-1 s');
SELECT paws_sync.define_topic('t', backoff => '1000 years');
SELECT paws_sync.define_topic('t', backoff => '2 h', max_backoff => '1 h');
SELECT paws_sync.define_topic('t', lease => '0');
SELECT paws_sync.define_topic('t', lease => '10 ms');
SELECT paws_sync.define_topic('t', lease => '2 days');
SELECT paws_sync.define_topic('t', in_flight_per_flow => -1);
SELECT paws_sync.define_topic('t', history => NULL);
SELECT paws_sync.define_topic('t', history => '-1 day');
SELECT paws_sync.define_topic('t', dead_letters_kept => '178000000 years');
SELECT count(*) FROM paws_sync.topics() WHERE name = 't';

-- a topic that is paused takes jobs and gives none
SELECT outcome, state, level FROM paws_sync.submit('exports', 'a');
SELECT paws_sync.pause_topic('exports') AS paused, paws_sync.pause_topic('exports') AS again;
SELECT outcome, state FROM paws_sync.submit('exports', 'b');
SELECT count(*) FROM paws_sync.claim('{exports}', 10);
SELECT topic, paused, waiting, waiting_by_level, running, dead FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = 'exports';
BEGIN;
SELECT paws_sync.resume_topic('exports');
ROLLBACK;
SELECT count(*) FROM paws_sync.claim('{exports}', 10);
SELECT paws_sync.resume_topic('exports') AS resumed, paws_sync.resume_topic('exports') AS again;
SELECT t.text(payload) AS payload, paws_sync.release(job, fence) FROM paws_sync.claim('{exports}', 10);
SELECT paws_sync.pause_topic('no_such');
SELECT paws_sync.resume_topic(NULL);
SELECT paws_sync.pause_topic(repeat('x', 1000000));

-- what runs when a pause begins may be completed
SELECT job, fence FROM paws_sync.claim('{exports}') \gset
SELECT paws_sync.pause_topic('exports');
SELECT paws_sync.complete(:job, :fence);
SELECT paws_sync.resume_topic('exports');

-- a level that is paused
SELECT paws_sync.pause_level('standard_raised'), paws_sync.pause_level('5');
SELECT count(*) FROM paws_sync.claim('{exports}', 10);
SELECT outcome FROM paws_sync.submit('exports', 'c', class => 'background');
SELECT level, t.text(payload) AS payload, paws_sync.complete(job, fence) FROM paws_sync.claim('{exports}', 10);
SELECT paws_sync.resume_level('standard_raised'), paws_sync.resume_level('standard_raised');
SELECT level, t.text(payload) AS payload, paws_sync.complete(job, fence) FROM paws_sync.claim('{exports}', 10);
SELECT paws_sync.pause_level('crisis_emergency');
SELECT paws_sync.pause_level('crisis_data');
SELECT paws_sync.resume_level('9');
SELECT paws_sync.pause_level(NULL);

-- dropped only when it is empty
SELECT outcome FROM paws_sync.submit('exports', 'd');
SELECT paws_sync.drop_topic('exports');
\echo :LAST_ERROR_SQLSTATE
SELECT paws_sync.cancel(job) FROM paws_sync.claim('{exports}');
SELECT paws_sync.drop_topic('exports');
SELECT paws_sync.drop_topic('exports');
SELECT paws_sync.submit('exports', 'e');
SELECT paws_sync.drop_topic(NULL);
SELECT count(*) FROM paws_sync.topics() WHERE name = 'exports';
SELECT paws_sync.drop_topic('reminders');

-- the server bounds how many there may be
BEGIN;
SELECT count(*) AS defined FROM (SELECT paws_sync.define_topic('t' || n) FROM generate_series(1, 1000) n OFFSET 0) AS d;
\echo :LAST_ERROR_SQLSTATE
ROLLBACK;
