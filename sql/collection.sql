-- Kinds of documents.
\set SHOW_CONTEXT never
SELECT name, class, on_conflict, defined_at <= now() AS defined FROM paws_sync.collections ORDER BY name COLLATE "C";

-- defining it again changes class and policy, within its lane
SELECT paws_sync.define_collection('note', 'standard');
SELECT paws_sync.define_collection('note', class => 'interactive', on_conflict => 'branch');
SELECT class, on_conflict FROM paws_sync.collections WHERE name = 'note';
SELECT paws_sync.define_collection('note', 'safety');
SELECT paws_sync.define_collection('safety_plan', 'standard');

-- a change is seen by the next push of a process that knew it before
SELECT paws_sync.register_device(paws_sync.subject_for('collection'), 'ios') AS phone \gset
SELECT level FROM paws_sync.push(:'phone', t.ops(t.op(1, 'note', 1, 0, 'a')));
SELECT paws_sync.define_collection('note', 'background');
SELECT level FROM paws_sync.push(:'phone', t.ops(t.op(2, 'note', 2, 0, 'a')));

-- also when it was not committed
BEGIN;
SELECT paws_sync.define_collection('draft', 'standard');
SELECT outcome, code FROM paws_sync.push(:'phone', t.ops(t.op(3, 'draft', 3, 0, 'a')));
ROLLBACK;
SELECT outcome, code FROM paws_sync.push(:'phone', t.ops(t.op(4, 'draft', 4, 0, 'a')));

-- names
SELECT paws_sync.define_collection('a', 'standard');
SELECT paws_sync.define_collection('a234567890123456789012345678901', 'standard');
SELECT paws_sync.define_collection('a2345678901234567890123456789012', 'standard');
SELECT paws_sync.define_collection('', 'standard');
SELECT paws_sync.define_collection('Note', 'standard');
SELECT paws_sync.define_collection('1note', 'standard');
SELECT paws_sync.define_collection('jane doe', 'standard');
SELECT paws_sync.define_collection(E'note\n', 'standard');
SELECT paws_sync.define_collection('ñote', 'standard');
SELECT paws_sync.define_collection('note', 'standard', 'last_writer_wins');
CALL t.wait_applied();
