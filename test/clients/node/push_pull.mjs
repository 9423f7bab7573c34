// Push on one device, pull on another, with node-postgres (npm install pg, or Debian's node-pg).
//
//     node push_pull.mjs postgres:///paws?host=<socket folder>&port=<port>&user=<user>
//
// node-postgres sends every value as a bind parameter. Tokens and cursors are strings and cast in the statement,
// payloads are Buffers, bigint arrives as a string, an interval as an object.
import { randomUUID } from 'node:crypto';
import pg from 'pg';

const client = new pg.Client({ connectionString: process.argv[2] });
await client.connect();
const rows = async (sql, ...values) => (await client.query(sql, values)).rows;

if ((await rows('SELECT FROM paws_sync.collections WHERE name = $1', 'mood')).length === 0)
	await rows('SELECT paws_sync.define_collection($1, $2::paws_sync.class, $3)', 'mood', 'interactive', 'append');
const [{ subject }] = await rows('SELECT paws_sync.subject_for($1)::text AS subject', randomUUID());
await rows('SELECT paws_sync.set_entitlement($1::paws_sync.subject, $2::paws_sync.tier)', subject, 'premium');
const register = async (platform) => (await rows(
	'SELECT paws_sync.register_device($1::paws_sync.subject, $2)::text AS device', subject, platform))[0].device;
const phone = await register('android');
const tablet = await register('web');

// An operation keeps its op_id: whatever happens to the answer, the same operation may be sent again.
const opId = randomUUID();
const payload = Buffer.from(JSON.stringify({ resourceType: 'Observation', status: 'final', valueInteger: 7 }));
const operation = {
	op_id: opId, collection: 'mood', doc_id: randomUUID(), base_revision: 0, payload: payload.toString('base64'),
};
for (let attempt = 0; attempt < 2; attempt++) {
	const answers = await rows('SELECT outcome::text, code, retry_after FROM paws_sync.push($1::paws_sync.device, $2::jsonb)',
		phone, JSON.stringify([operation]));
	for (const answer of answers)
		console.log('push:', answer.outcome, answer.code ?? '');
}

// For bursts: the same as columns, without JSON and base64.
const burst = [1, 2, 3].map((mood) => Buffer.from(JSON.stringify({ ...JSON.parse(payload), valueInteger: mood })));
console.log('burst:', (await rows(
	`SELECT outcome::text FROM paws_sync.push_many($1::paws_sync.device, $2::uuid[], $3::text[], $4::uuid[], $5::bigint[], $6::bytea[])`,
	phone, burst.map(() => randomUUID()), burst.map(() => 'mood'), burst.map(() => randomUUID()), burst.map(() => 0), burst,
)).map((answer) => answer.outcome).join(' '));

// The cursor to keep is that of the last row that was worked on; null at the beginning.
let cursor = null;
for (const row of await rows(`SELECT cursor::text, kind, collection, revision, payload
	FROM paws_sync.pull_wait($1::paws_sync.device, $2::paws_sync.cursor, $3::interval)`, tablet, cursor, '1 second')) {
	console.log('pull:', row.kind, row.collection, row.revision, row.payload?.toString() ?? '');
	cursor = row.cursor;
}
await rows('SELECT paws_sync.ack($1::paws_sync.device, $2::paws_sync.cursor)', tablet, cursor);

console.log('receipt:', await rows('SELECT outcome::text, revision FROM paws_sync.receipts($1::paws_sync.device, $2::uuid[])',
	phone, [opId]));
await client.end();
