'use strict'
// statements.js HOST PORT DATABASE FOLDER PAYLOAD: installs the schemas of graphile-worker and pg-boss, lets their own
// clients put, take and complete jobs, and writes what these sent to the server: FOLDER/PEER.{put,put_many,take_1,
// take_100,ack_1,ack_100} with $1 for the payload, the set of payloads, or the ids, and all else as it was sent;
// FOLDER/PEER.many is the parameter of put_many.
const fs = require('fs')
const path = require('path')
const pg = require('pg')
const { prepareValue } = require('pg/lib/utils')

const [host, port, database, folder, payload] = process.argv.slice(2)
const where = { host, port: Number(port), user: 'postgres', database }
const data = JSON.parse(payload)
const BATCH = 100

let recorded = []
const query = pg.Client.prototype.query
pg.Client.prototype.query = function (config, values, ...rest) {
  const text = typeof config === 'string' ? config : config.text
  if (text !== undefined) {
    recorded.push({ text, values: (Array.isArray(values) ? values : config.values) || [] })
  }
  return query.call(this, config, values, ...rest)
}

function literal (value) {
  const prepared = prepareValue(value)
  if (prepared === null || typeof value === 'number' || typeof value === 'boolean') {
    return String(prepared)
  }
  return pg.escapeLiteral(String(prepared))
}

// The last recorded statement like `pattern`, with its parameters written out but the one that is `given`.
function statement (peer, name, pattern, given) {
  const found = recorded.filter((one) => pattern.test(one.text)).pop()
  if (found === undefined) {
    throw new Error(`${peer} sent nothing like ${pattern} for ${name}`)
  }
  let parameter
  const text = found.text.replace(/--.*$/gm, '').replace(/\$(\d+)/g, (_, n) => {
    const value = found.values[n - 1]
    if (given !== undefined && given(value)) {
      parameter = value
      return '$1'
    }
    return literal(value)
  }).replace(/\s+/g, ' ').replace(/;\s*$/, '').trim()
  if (given !== undefined && parameter === undefined) {
    throw new Error(`${peer} sent ${name} without the expected parameter`)
  }
  fs.writeFileSync(path.join(folder, `${peer}.${name}`), text)
  return parameter
}

const carriesPayload = (value) => value !== null && ['object', 'string'].includes(typeof value) &&
  !Array.isArray(value) && String(prepareValue(value)).includes(data.p)
const isIds = (value) => Array.isArray(value)

async function until (condition) {
  for (let i = 0; !condition(); i++) {
    if (i > 1000) throw new Error('the jobs were not worked on within 10 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function graphile () {
  const { run, makeWorkerUtils, Logger } = require('graphile-worker')
  const pool = new pg.Pool({ ...where, max: 10 })
  const logger = new Logger(() => () => {})
  const utils = await makeWorkerUtils({ pgPool: pool, logger })
  let done = 0
  const taskList = { bench: async () => { done++ } }
  await utils.migrate()
  await utils.addJob('bench', data)
  statement('graphile', 'put', /add_job\(/, carriesPayload)
  let runner = await run({ pgPool: pool, logger, taskList, concurrency: 1, noHandleSignals: true })
  await until(() => done === 1)
  await runner.stop()
  statement('graphile', 'take_1', /for update\s+skip locked/)
  statement('graphile', 'ack_1', /delete from .*where id = \$1/s, (value) => /^\d+$/.test(value))
  recorded = []
  await utils.addJobs(Array.from({ length: BATCH }, () => ({ identifier: 'bench', payload: data, priority: 10 })))
  fs.writeFileSync(path.join(folder, 'graphile.many'),
    prepareValue(statement('graphile', 'put_many', /add_jobs\(/, carriesPayload)))
  runner = await run({
    pgPool: pool,
    logger,
    taskList,
    noHandleSignals: true,
    preset: { worker: { concurrentJobs: BATCH, localQueue: { size: BATCH }, completeJobBatchDelay: 20 } }
  })
  await until(() => done === BATCH + 1)
  await runner.stop()
  statement('graphile', `take_${BATCH}`, /limit 100\s+for update\s+skip locked/)
  statement('graphile', `ack_${BATCH}`, /^\s*delete from .*unnest\(\$1::bigint\[\]\)/s, isIds)
  await utils.release()
  await pool.end()
}

async function pgboss () {
  const PgBoss = require('pg-boss')
  const boss = new PgBoss({ ...where, supervise: false, schedule: false })
  boss.on('error', (problem) => { throw problem })
  await boss.start()
  await boss.createQueue('bench')
  recorded = []
  await boss.send('bench', data, { priority: 10 })
  statement('pgboss', 'put', /insert into pgboss.job/i, carriesPayload)
  const [job] = await boss.fetch('bench')
  statement('pgboss', 'take_1', /for update skip locked/i)
  await boss.complete('bench', job.id)
  statement('pgboss', 'ack_1', /set completed_on/i, isIds)
  recorded = []
  await boss.insert(Array.from({ length: BATCH }, () => ({ name: 'bench', data })))
  fs.writeFileSync(path.join(folder, 'pgboss.many'),
    prepareValue(statement('pgboss', 'put_many', /insert into pgboss.job/i, carriesPayload)))
  const jobs = await boss.fetch('bench', { batchSize: BATCH })
  statement('pgboss', `take_${BATCH}`, /for update skip locked/i)
  await boss.complete('bench', jobs.map((one) => one.id))
  statement('pgboss', `ack_${BATCH}`, /set completed_on/i, isIds)
  await boss.stop({ graceful: false })
}

graphile().then(pgboss).then(() => process.exit(0), (problem) => {
  console.error(problem)
  process.exit(1)
})
