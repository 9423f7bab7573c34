// Submit work and do it, with node-postgres (npm install pg, or Debian's node-pg).
//
//     node jobs.mjs postgres:///paws?host=<socket folder>&port=<port>&user=<user>
//
// The effects of a job and its completion are one transaction: both happen or none. A worker that was too slow finds
// that out by PW011, and what it wrote is rolled back. bigint arrives as a string, and goes back as one.
import pg from 'pg';

const client = new pg.Client({ connectionString: process.argv[2] });
await client.connect();
const rows = async (sql, ...values) => (await client.query(sql, values)).rows;
const words = (row) => Object.values(row).join(' ');

await rows("SELECT paws_sync.define_topic($1, max_attempts => 2, backoff => '10 ms')", 'reminders_js');
await rows('CREATE TEMP TABLE sent (job bigint, text text)');

// The key is what makes a repeated request the same job.
const submit = async () => (await rows(
	`SELECT outcome::text, state::text, convert_from(result, 'UTF8') AS result FROM paws_sync.submit($1, $2::bytea, key => $3)`,
	'reminders_js', Buffer.from('bring the diary'), 'visit-17'))[0];
for (let repeat = 0; repeat < 2; repeat++)
	console.log('submit:', words(await submit()).trim());
console.log('batch:', (await rows("SELECT outcome::text FROM paws_sync.submit_many($1, $2::bytea[], 'bulk')",
	'reminders_js', ['one', 'two', 'three'].map((text) => Buffer.from(text)))).map(words).join(' '));

// Waits a little; in a loop this is all that a worker needs.
const claim = (most = 1) => rows(
	`SELECT job, fence, payload, attempt FROM paws_sync.claim_wait($1::text[], $2, timeout => '1 s')`, ['reminders_js'], most);

const work = async ({ job, fence, payload }) => {
	await rows('BEGIN');
	try {
		await rows('INSERT INTO sent VALUES ($1, $2)', job, payload.toString());
		await rows('SELECT paws_sync.complete($1, $2, $3::bytea)', job, fence, Buffer.from('sent'));
		await rows('COMMIT');
	} catch (error) {
		await rows('ROLLBACK');
		throw error;
	}
};

const [first] = await claim();
await work(first);
console.log('done:', first.payload.toString());
console.log('repeat:', words(await submit()));

// Too late: the lease was given back, so somebody else may have it by now.
const [late] = await claim();
await rows('SELECT paws_sync.release($1, $2)', late.job, late.fence);
try {
	await work(late);
} catch (error) {
	console.log('late:', error.code, 'effects:', words((await rows('SELECT count(*) FROM sent WHERE job = $1', late.job))[0]));
}

// One fails for good; the others are completed together, without waiting for the disk.
const fail = async ({ job, fence }) => (await rows("SELECT paws_sync.fail($1, $2, reason => 'refused')::text AS outcome", job, fence))[0].outcome;
const [failed, ...good] = await claim(10);
console.log('fail:', await fail(failed));
console.log('batch:', (await rows('SELECT outcome::text FROM paws_sync.complete_many($1::bigint[], $2::bigint[], durable => false)',
	good.map((job) => job.job), good.map((job) => job.fence))).map(words).join(' '));
let again = [];
while (again.length === 0)
	again = await claim();
console.log('attempt:', again[0].attempt);
console.log('fail:', await fail(again[0]));
console.log('dead:', words((await rows('SELECT reason::text, attempts FROM paws_sync.dead_letters($1)', 'reminders_js'))[0]));
console.log('redriven:', words((await rows('SELECT paws_sync.redrive($1)', 'reminders_js'))[0]));
await work((await claim())[0]);
console.log('left:', words((await rows('SELECT waiting, running, dead FROM paws_sync.pg_stat_paws_sync_topics WHERE topic = $1', 'reminders_js'))[0]));
await client.end();
