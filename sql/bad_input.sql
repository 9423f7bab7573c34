\pset format unaligned
-- Bad input at every argument of every function: a clear error or an answer for the item, never a value in a
-- message, never a broken server.
\set SHOW_CONTEXT never
SELECT paws_sync.subject_for('bad_input') AS subject \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS device \gset
SELECT paws_sync.register_device(:'subject', 'web') AS revoked \gset
SELECT paws_sync.revoke_device(:'revoked');
SELECT count(*) FROM paws_sync.push(:'device', t.ops(t.op(1, 'mood', 1, 0, 'calm')));
CALL t.wait_applied();
SELECT cursor FROM paws_sync.pull(:'device') \gset

-- a device that was never committed, and tokens that are well formed but not what the mint made them for: the
-- two types are stored alike, so a superuser's cast takes one for the other
BEGIN;
SELECT paws_sync.register_device(:'subject', 'ios') AS unknown \gset
ROLLBACK;
BEGIN;
CREATE CAST (paws_sync.subject AS paws_sync.device) WITHOUT FUNCTION;
CREATE CAST (paws_sync.device AS paws_sync.subject) WITHOUT FUNCTION;
SELECT :'subject'::paws_sync.subject::paws_sync.device AS foreign_device,
	:'device'::paws_sync.device::paws_sync.subject AS foreign_subject \gset
ROLLBACK;

-- what a call answers: SQLSTATE and message; LEAK if the message repeats a value
CREATE TEMP TABLE word (name text, value text);
INSERT INTO word VALUES ('<device>', :'device'), ('<subject>', :'subject'), ('<cursor>', :'cursor'), ('<revoked>', :'revoked'),
	('<unknown>', :'unknown'), ('<foreign device>', :'foreign_device'), ('<foreign subject>', :'foreign_subject');
CREATE FUNCTION pg_temp.answer(call text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	w word;
	message text;
	detail text;
	hint text;
	rows bigint;
BEGIN
	FOR w IN SELECT * FROM word LOOP
		call := replace(call, w.name, quote_literal(w.value));
	END LOOP;
	EXECUTE 'SELECT count(*) FROM paws_sync.' || call INTO rows;
	RETURN 'no error, rows: ' || rows;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || message || CASE WHEN concat(message, detail, hint) ~ '(sub|dev|cur)_[A-Za-z0-9_-]{8}|Jane|xxxx'
		THEN ' LEAK' ELSE '' END;
END
$$;

SELECT call, pg_temp.answer(call) FROM (VALUES
	(1, 'subject_for(NULL)'),
	(2, 'subject_for('''')'),
	(3, 'subject_for(repeat(''x'', 200000000))'),
	(10, 'register_device(NULL, ''ios'')'),
	(11, 'register_device(<subject>, NULL)'),
	(12, 'register_device(<device>, ''ios'')'),
	(13, 'register_device(<foreign subject>, ''ios'')'),
	(14, 'register_device('''', ''ios'')'),
	(15, 'register_device(''Jane Doe'', ''ios'')'),
	(16, 'register_device(<subject>, ''Jane Doe'')'),
	(17, 'register_device(<subject>, repeat(''x'', 10000000))'),
	(20, 'revoke_device(NULL)'),
	(21, 'revoke_device(<subject>)'),
	(22, 'revoke_device(<foreign device>)'),
	(23, 'revoke_device(<unknown>)'),
	(30, 'devices(NULL)'),
	(31, 'devices(<device>)'),
	(32, 'devices(<foreign subject>)'),
	(40, 'sync_status(NULL)'),
	(41, 'sync_status(<device>)'),
	(42, 'sync_status(<foreign subject>)'),
	(50, 'define_collection(NULL, ''standard'')'),
	(51, 'define_collection(''fine'', NULL)'),
	(52, 'define_collection(''fine'', ''standard'', NULL)'),
	(53, 'define_collection(''Jane Doe'', ''standard'')'),
	(54, 'define_collection(repeat(''x'', 10000000), ''standard'')'),
	(55, 'define_collection(''fine'', ''standard'', ''Jane Doe'')'),
	(56, 'define_collection(''fine'', ''standard'', repeat(''x'', 10000000))'),
	(60, 'set_entitlement(NULL, ''basic'')'),
	(61, 'set_entitlement(<subject>, NULL)'),
	(62, 'set_entitlement(<device>, ''basic'')'),
	(63, 'set_entitlement(<foreign subject>, ''basic'')'),
	(70, 'push(NULL, ''[]'')'),
	(71, 'push(<device>, NULL)'),
	(72, 'push(<subject>, ''[]'')'),
	(73, 'push(<foreign device>, ''[]'')'),
	(74, 'push(<unknown>, ''[]'')'),
	(75, 'push(<device>, ''{}'')'),
	(76, 'push(<device>, ''"Jane Doe"'')'),
	(77, 'push(<device>, ''1'')'),
	(78, 'push(<device>, ''null'')'),
	(79, 'push(<device>, (SELECT jsonb_agg(0) FROM generate_series(1, 10001)))'),
	(80, 'push(<device>, (SELECT jsonb_agg(0) FROM generate_series(1, 100000)))'),
	(81, 'push(<device>, (SELECT jsonb_agg(0) FROM generate_series(1, 10000)))'),
	(90, 'push_many(NULL, ''{}'', ''{}'', ''{}'', ''{}'', ''{}'')'),
	(91, 'push_many(<device>, NULL, ''{}'', ''{}'', ''{}'', ''{}'')'),
	(92, 'push_many(<device>, ''{}'', NULL, ''{}'', ''{}'', ''{}'')'),
	(93, 'push_many(<device>, ''{}'', ''{}'', NULL, ''{}'', ''{}'')'),
	(94, 'push_many(<device>, ''{}'', ''{}'', ''{}'', NULL, ''{}'')'),
	(95, 'push_many(<device>, ''{}'', ''{}'', ''{}'', ''{}'', NULL)'),
	(96, 'push_many(<foreign device>, ''{}'', ''{}'', ''{}'', ''{}'', ''{}'')'),
	(97, 'push_many(<unknown>, ''{}'', ''{}'', ''{}'', ''{}'', ''{}'')'),
	(98, 'push_many(<device>, ''{}'', ''{xxxx}'', ''{}'', ''{}'', ''{}'')'),
	(99, 'push_many(<device>, ''{}'', ''{}'', ''{}'', ''{1}'', ''{}'')'),
	(100, 'push_many(<device>, ''{}'', ''{}'', ''{}'', ''{}'', ''{xxxx}'')'),
	(101, 'push_many(<device>, ''{}'', ''{}'', ''{}'', ''{}'', ''{}'', ''{t}'')'),
	(102, 'push_many(<device>, ARRAY[[t.id(1)], [t.id(2)]], ''{a,b}'', ARRAY[t.id(1), t.id(2)], ''{0,0}'', ''{x,x}'')'),
	(103, 'push_many(<device>, array_fill(t.id(1), ''{10001}''), ''{}'', ''{}'', ''{}'', ''{}'')'),
	(110, 'pull(NULL)'),
	(111, 'pull(<subject>)'),
	(112, 'pull(<foreign device>)'),
	(113, 'pull(<unknown>)'),
	(114, 'pull(<revoked>)'),
	(115, 'pull(<device>, ''Jane Doe'')'),
	(116, 'pull(<device>, <device>)'),
	(117, 'pull(<device>, repeat(''x'', 10000000)::paws_sync.cursor)'),
	(118, 'pull(<device>, NULL, NULL)'),
	(119, 'pull(<device>, NULL, 1, NULL)'),
	(120, 'pull(<device>, NULL, -1)'),
	(121, 'pull(<device>, NULL, 2147483647)'),
	(122, 'pull(<device>, NULL, 1, -2147483648)'),
	(130, 'pull_wait(NULL)'),
	(131, 'pull_wait(<foreign device>)'),
	(132, 'pull_wait(<unknown>)'),
	(133, 'pull_wait(<revoked>)'),
	(134, 'pull_wait(<device>, ''Jane Doe'')'),
	(135, 'pull_wait(<device>, NULL, NULL)'),
	(136, 'pull_wait(<device>, NULL, ''-1 day'')'),
	(137, 'pull_wait(<device>, NULL, ''-178000000 years'')'),
	(138, 'pull_wait(<device>, NULL, ''178000000 years'')'),
	(139, 'pull_wait(<device>, NULL, ''1 second'', NULL)'),
	(140, 'pull_wait(<device>, NULL, ''1 second'', 1, 0)'),
	(150, 'receipts(NULL, ''{}'')'),
	(151, 'receipts(<device>, NULL)'),
	(152, 'receipts(<foreign device>, ''{}'')'),
	(153, 'receipts(<unknown>, ''{}'')'),
	(154, 'receipts(<device>, array_fill(t.id(1), ''{10001}''))'),
	(155, 'receipts(<device>, array_fill(t.id(1), ''{10000}''))'),
	(160, 'ack(NULL, <cursor>)'),
	(161, 'ack(<device>, NULL)'),
	(162, 'ack(<subject>, <cursor>)'),
	(163, 'ack(<foreign device>, <cursor>)'),
	(164, 'ack(<unknown>, <cursor>)'),
	(165, 'ack(<revoked>, <cursor>)'),
	(166, 'ack(<device>, ''Jane Doe'')'),
	(170, 'set_policy(NULL, ''basic'', ''4'', 1000)'),
	(171, 'set_policy(''standard'', NULL, ''4'', 1000)'),
	(172, 'set_policy(''standard'', ''basic'', own_limits => false, ops_burst => 1)'),
	(173, 'set_policy(''standard'', ''basic'', bytes_burst => -1)'),
	(176, 'set_policy(''standard'', ''basic'', pull_bytes_per_second => -9223372036854775807)'),
	(177, 'set_policy(''standard'', ''basic'', pull_bytes_burst => 0)'),
	(178, 'set_policy(''safety'', ''basic'', ops_per_second => 1)'),
	(174, 'set_policy(''standard'', ''basic'', ''Jane'', 1000)'),
	(175, 'set_policy(''standard'', ''basic'', ''4'', 2147483647)'),
	(176, 'pause_level(NULL)'),
	(177, 'pause_level(''10'')'),
	(178, 'pause_level(''Jane'')'),
	(179, 'resume_level(''crisis_data'')'),
	(180, 'set_tier_policy(NULL)'),
	(181, 'set_tier_policy(''basic'', ops_per_second => -1)'),
	(182, 'set_tier_policy(''basic'', ops_burst => -1)'),
	(183, 'set_tier_policy(''basic'', bytes_per_second => -1)'),
	(184, 'set_tier_policy(''basic'', bytes_burst => -1)'),
	(185, 'set_tier_policy(''basic'', max_payload => 2147483647)'),
	(186, 'set_tier_policy(''basic'', max_devices => -1)'),
	(187, 'set_tier_policy(''basic'', offline_hours => 2147483647)'),
	(188, 'set_tier_policy(''basic'', ops_burst => 0)'),
	(192, 'set_tier_policy(''basic'', features => ''{sharing,NULL}'')'),
	(193, 'set_tier_policy(''basic'', pull_bytes_per_second => -1)'),
	(190, 'check_subject(NULL)'),
	(191, 'check_subject(<foreign subject>)'),
	(200, 'push_crisis(NULL, ''[]'')'),
	(201, 'push_crisis(<device>, NULL)'),
	(202, 'push_crisis(<subject>, ''[]'')'),
	(203, 'push_crisis(<foreign device>, ''[]'')'),
	(204, 'push_crisis(<unknown>, ''[]'')'),
	(205, 'push_crisis(<device>, ''"Jane Doe"'')'),
	(206, 'push_crisis(<device>, (SELECT jsonb_agg(0) FROM generate_series(1, 10001)))'),
	(210, 'pull_crisis(<subject>)'),
	(211, 'pull_crisis(<foreign device>)'),
	(212, 'pull_crisis(<unknown>)'),
	(213, 'pull_crisis(<revoked>)'),
	(214, 'pull_crisis(<device>, ''Jane Doe'')'),
	(215, 'pull_crisis(<device>, NULL, 10001)'),
	(216, 'pull_crisis(<device>, NULL, 1, 67108865)'),
	(220, 'crisis_bundle(NULL)'),
	(221, 'crisis_bundle(<subject>)'),
	(222, 'crisis_bundle(<foreign device>)'),
	(223, 'crisis_bundle(<unknown>)'),
	(224, 'crisis_bundle(''Jane Doe'')'),
	(230, 'set_resource(''Jane Doe'', ''line'', ''call'', ''123'')'),
	(231, 'set_resource(''us'', ''Jane Doe'', ''call'', ''123'')'),
	(232, 'set_resource(''us'', ''line'', ''Jane Doe'', ''123'')'),
	(233, 'set_resource(''us'', ''line'', ''call'', ''Jane Doe'')'),
	(234, 'set_resource(repeat(''x'', 10000000), ''line'', ''call'', ''123'')'),
	(235, 'set_resource(''us'', repeat(''x'', 10000000), ''call'', ''123'')'),
	(236, 'set_resource(''us'', ''line'', ''web'', ''https://'' || repeat(''a.'', 5000000))'),
	(240, 'drop_resource(NULL, ''line'', ''call'')'),
	(241, 'drop_resource(''Jane Doe'', repeat(''x'', 10000000), ''Jane Doe'')')) AS v (n, call)
ORDER BY n;

-- operations that are none, each answered by itself
CREATE TEMP TABLE bad (n integer GENERATED ALWAYS AS IDENTITY, what text, operation jsonb);
CREATE FUNCTION pg_temp.but(change jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT t.op(10, 'mood', 10, 0, 'x') || change $$;
INSERT INTO bad (what, operation) VALUES
	('null', 'null'), ('a number', '1'), ('a string', '"Jane Doe"'), ('true', 'true'), ('an array', '[]'), ('empty', '{}'),
	('nested', (repeat('[', 1000) || repeat(']', 1000))::jsonb),
	('no op_id', pg_temp.but('{}') - 'op_id'), ('no doc_id', pg_temp.but('{}') - 'doc_id'),
	('no collection', pg_temp.but('{}') - 'collection'), ('no base_revision', pg_temp.but('{}') - 'base_revision'),
	('no payload', pg_temp.but('{}') - 'payload'),
	('op_id null', pg_temp.but('{"op_id": null}')), ('op_id number', pg_temp.but('{"op_id": 1}')),
	('op_id short', pg_temp.but('{"op_id": "00000000-0000-4000-8000-00000000000"}')),
	('op_id without dashes', pg_temp.but('{"op_id": "00000000000040008000000000000010"}')),
	('op_id in braces', pg_temp.but('{"op_id": "{00000000-0000-4000-8000-000000000010}"}')),
	('op_id not hexadecimal', pg_temp.but('{"op_id": "g0000000-0000-4000-8000-000000000010"}')),
	('op_id dashes elsewhere', pg_temp.but('{"op_id": "0000000-00000-4000-8000-000000000010"}')),
	('doc_id array', pg_temp.but('{"doc_id": []}')), ('doc_id empty', pg_temp.but('{"doc_id": ""}')),
	('collection null', pg_temp.but('{"collection": null}')), ('collection number', pg_temp.but('{"collection": 1}')),
	('collection empty', pg_temp.but('{"collection": ""}')), ('collection upper case', pg_temp.but('{"collection": "MOOD"}')),
	('collection cut short', pg_temp.but('{"collection": "moo"}')), ('collection longer', pg_temp.but('{"collection": "mood "}')),
	('collection huge', pg_temp.but(jsonb_build_object('collection', repeat('x', 10000000)))),
	('base_revision null', pg_temp.but('{"base_revision": null}')), ('base_revision text', pg_temp.but('{"base_revision": "0"}')),
	('base_revision negative', pg_temp.but('{"base_revision": -1}')), ('base_revision a fraction', pg_temp.but('{"base_revision": 0.5}')),
	('base_revision 0.0', pg_temp.but('{"base_revision": 0.0}')),
	('base_revision huge', pg_temp.but('{"base_revision": 1e100}')),
	('base_revision above bigint', pg_temp.but('{"base_revision": 9223372036854775808}')),
	('payload number', pg_temp.but('{"payload": 1}')), ('payload object', pg_temp.but('{"payload": {}}')),
	('payload null', pg_temp.but('{"payload": null}')), ('payload not base64', pg_temp.but('{"payload": "Jane Doe"}')),
	('payload unpadded', pg_temp.but('{"payload": "YQ"}')), ('payload padded too much', pg_temp.but('{"payload": "YQ==="}')),
	('payload for URLs', pg_temp.but('{"payload": "_-__"}')), ('payload in lines', pg_temp.but('{"payload": "YWJj\nYWJj"}')),
	('payload with a space', pg_temp.but('{"payload": "YWJj YWJj"}')), ('payload not ASCII', pg_temp.but('{"payload": "YWñj"}')),
	('payload bits left over', pg_temp.but('{"payload": "YR=="}')),
	('deleted text', pg_temp.but('{"deleted": "true"}')), ('deleted null', pg_temp.but('{"deleted": null}')),
	('deleted with a payload', pg_temp.but('{"deleted": true}')), ('client_time object', pg_temp.but('{"client_time": {}}')),
	('client_time null', pg_temp.but('{"client_time": null}')),
	('another key', pg_temp.but('{"name": "Jane Doe"}')), ('a key in capitals', pg_temp.but('{"Deleted": false}')),
	('an empty key', pg_temp.but('{"": 1}')),
	('a revision of the future', pg_temp.but('{"base_revision": 999999999999999999}'));
UPDATE bad SET operation = operation || jsonb_build_object('op_id', t.id(100 + n))
WHERE operation ->> 'op_id' = t.id(10)::text;
SELECT b.what, p.outcome, p.code, t.no(p.op_id) AS op
FROM paws_sync.push(:'device', (SELECT jsonb_agg(operation ORDER BY n) FROM bad)) p JOIN bad b ON b.n = p.item
ORDER BY p.item;
-- push_crisis finds the same faults
SELECT outcome, code, count(*) FROM paws_sync.push_crisis(:'device', (SELECT jsonb_agg(operation ORDER BY n) FROM bad))
GROUP BY outcome, code ORDER BY code;
CALL t.wait_applied();
SELECT b.what, r.outcome, r.revision, r.code
FROM paws_sync.receipts(:'device', (SELECT array_agg(t.id(100 + n) ORDER BY n) FROM bad)) r JOIN bad b ON 100 + b.n = t.no(r.op_id)
WHERE r.outcome IS NOT NULL ORDER BY b.n;

-- payloads of 64 MB, in the ordinary and in the crisis lane
SELECT outcome, code FROM paws_sync.push_many(:'device', ARRAY[t.id(11), t.id(12)], '{mood,safety_plan}', ARRAY[t.id(11), t.id(12)],
	'{0,0}', array_fill(convert_to(repeat('x', 67108864), 'UTF8'), '{2}'));
SELECT outcome, code FROM paws_sync.push(:'device', t.ops(
	t.op(11, 'mood', 11, 0) || jsonb_build_object('deleted', false, 'payload', repeat('YWJj', 1048576)),
	t.op(12, 'signal', 12, 0) || jsonb_build_object('deleted', false, 'payload', repeat('YWJj', 16777216))));
SELECT outcome, code FROM paws_sync.push_many(:'device', ARRAY[t.id(13)], ARRAY[repeat('x', 10000000)], ARRAY[t.id(13)], '{0}', '{x}');

-- none of it left anything but what was good, and all goes on
SELECT collection, t.no(doc_id) AS doc, revision FROM paws_sync.pull(:'device');
SELECT outcome FROM paws_sync.push(:'device', t.ops(t.op(20, 'mood', 20, 0, 'calm')));
CALL t.wait_applied();
SELECT bool_and(shipped) AS policy_as_shipped FROM (SELECT shipped FROM paws_queue.policy UNION ALL SELECT shipped FROM paws_queue.tier_policy) p;
