-- Bad input at every argument of every function about jobs: a clear error or an answer for the item, never a value in a
-- message, never a broken server.
\set SHOW_CONTEXT never
SELECT paws_sync.define_topic('bad'), paws_sync.define_topic('other');
SELECT paws_sync.subject_for('jobs_bad_input') AS subject \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS device \gset
-- what the mint did not make for this type: the types of tokens are stored alike
BEGIN;
CREATE CAST (paws_sync.device AS paws_sync.subject) WITHOUT FUNCTION;
SELECT :'device'::paws_sync.device::paws_sync.subject AS foreign_subject \gset
ROLLBACK;
SELECT job AS waiting FROM paws_sync.submit('bad', 'w', class => 'background') \gset
SELECT outcome FROM paws_sync.submit('bad', 'r');
SELECT job, fence FROM paws_sync.claim('{bad}') \gset
SELECT outcome FROM paws_sync.submit('other', 'o');
SELECT job AS other_job, fence AS other_fence FROM paws_sync.claim('{other}') \gset
SELECT :job <> :waiting AS urgent;

CREATE TEMP TABLE word (name text, value text);
INSERT INTO word VALUES ('<subject>', quote_literal(:'subject')), ('<device>', quote_literal(:'device')), ('<foreign subject>', quote_literal(:'foreign_subject')),
	('<job>', :'job'), ('<fence>', :'fence'), ('<other job>', :'other_job'), ('<other fence>', :'other_fence'), ('<waiting>', :'waiting');
CREATE FUNCTION pg_temp.answer(call text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	w word;
	message text;
	detail text;
	hint text;
	answer text;
BEGIN
	FOR w IN SELECT * FROM word LOOP
		call := replace(call, w.name, w.value);
	END LOOP;
	EXECUTE 'SELECT count(*) || coalesce('' '' || string_agg(DISTINCT coalesce(to_jsonb(r)->>''outcome'', r::text), '' ''), '''') FROM paws_sync.' || call || ' r' INTO answer;
	RETURN 'no error: ' || left(regexp_replace(answer, '[0-9]{6,}', 'N', 'g'), 60);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || message || CASE WHEN concat(message, detail, hint) ~ '(sub|dev|cur)_[A-Za-z0-9_-]{8}|Jane|xxxx'
		THEN ' LEAK' ELSE '' END;
END
$$;

SELECT n, call, pg_temp.answer(call) FROM (VALUES
	(1, 'submit(NULL, ''x'')'),
	(2, 'submit('''', ''x'')'),
	(3, 'submit(''Jane Doe'', ''x'')'),
	(4, 'submit(repeat(''x'', 10000000), ''x'')'),
	(5, 'submit(''no_such'', ''x'')'),
	(6, 'submit(''bad'', NULL)'),
	(7, 'submit(''bad'', convert_to(repeat(''x'', 1048577), ''UTF8''))'),
	(8, 'submit(''bad'', convert_to(repeat(''x'', 100000000), ''UTF8''))'),
	(9, 'submit(''bad'', ''x'', NULL)'),
	(10, 'submit(''bad'', ''x'', ''emergency'')'),
	(11, 'submit(''bad'', ''x'', ''safety'')'),
	(12, 'submit(''bad'', ''x'', ''urgent'')'),
	(13, 'submit(''bad'', ''x'', subject => <foreign subject>)'),
	(14, 'submit(''bad'', ''x'', subject => <device>)'),
	(15, 'submit(''bad'', ''x'', subject => '''')'),
	(16, 'submit(''bad'', ''x'', subject => ''Jane Doe'')'),
	(17, 'submit(''bad'', ''x'', key => '''')'),
	(18, 'submit(''bad'', ''x'', key => repeat(''x'', 1025))'),
	(19, 'submit(''bad'', ''x'', key => repeat(''x'', 100000000))'),
	(20, 'submit(''bad'', ''x'', ordering_key => '''')'),
	(21, 'submit(''bad'', ''x'', ordering_key => repeat(''x'', 1025))'),
	(22, 'submit(''bad'', ''x'', not_before => ''infinity'')'),
	(23, 'submit(''bad'', ''x'', not_before => ''soon'')'),
	(24, 'submit(''bad'', ''x'', not_before => now() + interval ''1 hour'', expires_at => now())'),
	(25, 'submit(''bad'', ''x'', expires_at => now() - interval ''1 hour'')'),
	(26, 'submit(''bad'', ''x'', expires_at => ''-infinity'')'),
	(30, 'submit_many(''bad'', NULL)'),
	(31, 'submit_many(''bad'', ''{x,NULL}'')'),
	(32, 'submit_many(''bad'', ''{{x,x},{x,x}}'')'),
	(33, 'submit_many(''bad'', ''{x,x}'', keys => ''{a}'')'),
	(34, 'submit_many(''bad'', ''{x,x}'', keys => ''{{a,b}}'')'),
	(35, 'submit_many(''bad'', ''{x,x}'', ordering_keys => ''{}'')'),
	(36, 'submit_many(''bad'', ''{x}'', subjects => ARRAY[<foreign subject>]::paws_sync.subject[])'),
	(37, 'submit_many(''bad'', ''{x}'', not_before => ''{infinity}'')'),
	(38, 'submit_many(''bad'', ''{x}'', keys => ARRAY[''''])'),
	(39, 'submit_many(''bad'', array_fill(''x''::bytea, ''{100000}''))'),
	(40, 'submit_many(NULL, ''{x}'')'),
	(41, 'submit_many(''no_such'', ''{}'')'),
	(42, 'submit_many(''bad'', ''{x}'', NULL)'),
	(43, 'submit_many(''bad'', ''{x}'', ''safety'')'),
	(44, 'submit_many(''bad'', ''{x,x,x,x}'', keys => ARRAY[repeat(''x'', 1025), '''', NULL, ''k44''])'),
	(45, 'submit_many(''bad'', ''{x,x}'', ordering_keys => ARRAY['''', ''o''])'),
	(46, 'submit_many(''bad'', ''{x,x,x}'', not_before => ARRAY[''infinity'', ''-infinity'', NULL]::timestamptz[])'),
	(47, 'submit_many(''bad'', ''{x,x,x}'', not_before => array_fill(now() + interval ''1 hour'', ''{3}''), expires_at => ARRAY[now(), ''infinity'', NULL])'),
	(50, 'claim(NULL)'),
	(51, 'claim(''{}'')'),
	(52, 'claim(''{NULL}'')'),
	(53, 'claim(''{bad,no_such}'')'),
	(54, 'claim(''{{bad},{bad}}'')'),
	(55, 'claim(ARRAY[repeat(''x'', 1000000)])'),
	(56, 'claim(''{bad}'', NULL)'),
	(57, 'claim(''{bad}'', 0)'),
	(58, 'claim(''{bad}'', -1)'),
	(59, 'claim(''{bad}'', 100000)'),
	(60, 'claim(''{bad}'', 1, ''0'')'),
	(61, 'claim(''{bad}'', 1, ''-1 s'')'),
	(62, 'claim(''{bad}'', 1, ''1000 years'')'),
	(63, 'claim(''{bad}'', 1, ''178000000 years'')'),
	(64, 'claim(array_fill(''bad''::text, ''{100000}''))'),
	(65, 'claim_wait(NULL)'),
	(66, 'claim_wait(''{bad}'', timeout => NULL)'),
	(67, 'claim_wait(''{bad}'', timeout => ''-1 s'')'),
	(68, 'claim_wait(''{no_such}'', timeout => ''1 s'')'),
	(70, 'extend(NULL, 1)'),
	(71, 'extend(1, NULL)'),
	(72, 'extend(-1, -1)'),
	(73, 'extend(<job>, <other fence>)'),
	(74, 'extend(<other job>, <fence>)'),
	(75, 'extend(<waiting>, <fence>)'),
	(76, 'extend(<job>, <fence>, ''-1 s'')'),
	(77, 'extend(<job>, <fence>, ''1000 years'')'),
	(78, 'extend(9223372036854775807, 9223372036854775807)'),
	(80, 'release(NULL, NULL)'),
	(81, 'release(<job>, <other fence>)'),
	(82, 'release(0, 0)'),
	(83, 'snooze(<job>, <fence>, NULL)'),
	(84, 'snooze(<job>, <fence>, ''-1 s'')'),
	(85, 'snooze(<job>, <fence>, ''1000 years'')'),
	(86, 'snooze(<job>, <other fence>, ''1 s'')'),
	(90, 'fail(NULL, 1)'),
	(91, 'fail(<job>, <other fence>)'),
	(92, 'fail(<job>, <fence>, ''-1 s'')'),
	(93, 'fail(<job>, <fence>, ''1000 years'')'),
	(94, 'fail(<job>, <fence>, reason => NULL)'),
	(95, 'fail(<job>, <fence>, reason => ''lease_expired'')'),
	(96, 'fail(<job>, <fence>, reason => ''unreadable'')'),
	(97, 'fail(<job>, <fence>, reason => ''bored'')'),
	(100, 'complete(NULL, 1)'),
	(101, 'complete(1, NULL)'),
	(102, 'complete(<job>, <other fence>)'),
	(103, 'complete(<other job>, <fence>)'),
	(104, 'complete(<waiting>, <fence>)'),
	(105, 'complete(-9223372036854775808, -9223372036854775808)'),
	(106, 'complete(<job>, <fence>, convert_to(repeat(''x'', 100000000), ''UTF8''))'),
	(107, 'complete(<job>, <fence>, durable => NULL)'),
	(110, 'complete_many(NULL, ''{1}'')'),
	(111, 'complete_many(''{1}'', NULL)'),
	(112, 'complete_many(''{1,2}'', ''{1}'')'),
	(113, 'complete_many(''{1}'', ''{1}'', ''{x,x}'')'),
	(114, 'complete_many(''{NULL}'', ''{1}'')'),
	(115, 'complete_many(''{{1},{2}}'', ''{1,2}'')'),
	(116, 'complete_many(''{1,2,3}'', ''{1,2,3}'')'),
	(117, 'complete_many(''{}'', ''{}'')'),
	(118, 'complete_many(array_fill(1::bigint, ''{100000}''), array_fill(1::bigint, ''{100000}''))'),
	(119, 'complete_many(''{1}'', ''{1}'', durable => NULL)'),
	(120, 'complete_many(ARRAY[<other job>, <other job>], ARRAY[<fence>, <fence>])'),
	(121, 'cancel(NULL)'),
	(122, 'cancel(-1)'),
	(123, 'cancel(9223372036854775807)'),
	(124, 'job_status(NULL)'),
	(125, 'job_status(-1)'),
	(130, 'dead_letters(NULL)'),
	(131, 'dead_letters(''no_such'')'),
	(132, 'dead_letters(''bad'', 0)'),
	(133, 'dead_letters(''bad'', 1000000000)'),
	(134, 'redrive(NULL)'),
	(135, 'redrive(''no_such'')'),
	(136, 'redrive(''bad'', ''{NULL}'')'),
	(137, 'redrive(''bad'', ''{{1},{2}}'')'),
	(138, 'redrive(''bad'', ARRAY[<job>])'),
	(139, 'redrive(''bad'', max => 0)'),
	(140, 'redrive(''bad'', array_fill(1::bigint, ''{100000}''))'),
	(141, 'discard(NULL)'),
	(142, 'discard(''no_such'')'),
	(143, 'discard(''bad'', ''{NULL}'')'),
	(144, 'discard(''bad'', ''{{1},{2}}'')'),
	(145, 'discard(''bad'', ARRAY[<job>, <waiting>])'),
	(146, 'discard(''bad'', max => 0)'),
	(147, 'discard(''bad'', max => NULL)'),
	(148, 'discard(''bad'', array_fill(1::bigint, ''{100000}''))')
	) AS c (n, call) ORDER BY n;

-- the errors that a caller meets have hints
DO $$
DECLARE
	call text;
	hint text;
BEGIN
	FOREACH call IN ARRAY ARRAY['paws_sync.submit(''no_such'', ''x'')', 'paws_sync.submit(''bad'', ''x'', ''safety'')',
		'paws_sync.complete(1, 1)', 'paws_sync.submit_many(''bad'', ''{x,x}'', keys => ''{a}'')', 'paws_sync.pause_level(''10'')'] LOOP
		BEGIN
			EXECUTE 'SELECT ' || call;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
			RAISE NOTICE '% %: %', SQLSTATE, call, hint;
		END;
	END LOOP;
END
$$;

-- and all of that has left both leases as they were
SELECT paws_sync.complete(:job, :fence), paws_sync.complete(:other_job, :other_fence);
SELECT count(paws_sync.complete(job, fence)) > 0 AS rest FROM paws_sync.claim('{bad,other}', 1000);
