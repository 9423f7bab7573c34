-- ack and sync_status: how far each device has come.
\set SHOW_CONTEXT never
SELECT paws_sync.subject_for('ack') AS subject, paws_sync.subject_for('ack 2') AS stranger \gset
SELECT paws_sync.register_device(:'subject', 'ios') AS phone \gset
SELECT paws_sync.register_device(:'subject', 'web') AS browser \gset
SELECT paws_sync.register_device(:'stranger', 'ios') AS other \gset
SELECT platform, registered_at <= now() AS registered, revoked_at, acknowledged_at, behind FROM paws_sync.sync_status(:'subject');

SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(1, 'mood', 1, 0, 'a'), t.op(2, 'mood', 2, 0, 'b'), t.op(3, 'signal', 3, 0, 'c')));
CALL t.wait_applied();
SELECT platform, acknowledged_at, behind FROM paws_sync.sync_status(:'subject');

-- in the middle of a lane's seed there is nothing of it to acknowledge: here crisis is through, the rest not
SELECT (array_agg(cursor))[2] AS middle FROM paws_sync.pull(:'browser') \gset
SELECT paws_sync.ack(:'browser', :'middle');
SELECT platform, acknowledged_at IS NOT NULL AS acknowledged, behind FROM paws_sync.sync_status(:'subject');

-- the end of it acknowledges all up to when it began
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(4, 'mood', 4, 0, 'd'), t.op(5, 'signal', 5, 0, 'e')));
CALL t.wait_applied();
SELECT (array_agg(cursor))[count(*)] AS early FROM paws_sync.pull(:'browser', :'middle', 2) \gset
SELECT paws_sync.ack(:'browser', :'early');
SELECT platform, behind FROM paws_sync.sync_status(:'subject') WHERE platform = 'web';
SELECT (array_agg(cursor))[count(*)] AS done FROM paws_sync.pull(:'browser', :'early') \gset
SELECT paws_sync.ack(:'browser', :'done');
SELECT platform, acknowledged_at <= clock_timestamp() AS acknowledged, behind FROM paws_sync.sync_status(:'subject');

-- it never goes back
SELECT paws_sync.ack(:'browser', :'early');
SELECT paws_sync.ack(:'browser', :'done');
SELECT platform, behind FROM paws_sync.sync_status(:'subject') WHERE platform = 'web';
SELECT count(*) FROM paws_sync.push(:'phone', t.ops(t.op(6, 'mood', 6, 0, 'f')));
CALL t.wait_applied();
SELECT platform, behind FROM paws_sync.sync_status(:'subject') WHERE platform = 'web';

-- a cursor of another history acknowledges nothing
SELECT count(*) FROM paws_sync.push(:'other', t.ops(t.op(1, 'mood', 1, 0, 'a'), t.op(2, 'signal', 2, 0, 'b')));
CALL t.wait_applied();
SELECT (array_agg(cursor))[count(*)] AS strange FROM paws_sync.pull(:'other') \gset
SELECT paws_sync.ack(:'phone', :'strange');
SELECT paws_sync.ack(:'other', :'done');
SELECT platform, acknowledged_at IS NOT NULL AS acknowledged FROM paws_sync.sync_status(:'stranger');

-- revoked ones stay in the list
SELECT paws_sync.revoke_device(:'browser');
SELECT platform, revoked_at <= clock_timestamp() AS revoked FROM paws_sync.sync_status(:'subject');

-- nobody
SELECT count(*) FROM paws_sync.sync_status(paws_sync.subject_for('ack 3'));
