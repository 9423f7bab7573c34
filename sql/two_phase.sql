-- Nothing would wake the workers at COMMIT PREPARED, so what wrote through us cannot be prepared.
SELECT paws_sync.register_device(paws_sync.subject_for('two_phase'), 'ios') AS phone \gset
BEGIN;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'a')));
PREPARE TRANSACTION 'regress_paws';
\echo :LAST_ERROR_SQLSTATE
BEGIN;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(2, 'signal', 2, 0, 'a')));
PREPARE TRANSACTION 'regress_paws';
BEGIN;
SAVEPOINT s;
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(3, 'signal', 3, 0, 'a')));
RELEASE s;
PREPARE TRANSACTION 'regress_paws';
SELECT count(*) AS prepared FROM pg_prepared_xacts WHERE gid = 'regress_paws';

-- nothing of it stayed
SELECT t.no(op_id) AS op, outcome FROM paws_sync.receipts(:'phone', ARRAY[t.id(1), t.id(2), t.id(3)]);
SELECT count(*) FROM paws_sync.pull(:'phone');
SELECT outcome FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'a')));
CALL t.wait_applied();
