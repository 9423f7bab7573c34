'use strict'
// client.js HOST PORT DATABASE PEER WHAT ...: the peers through their own node clients.
//
//   submit CLIENTS SECONDS PAYLOAD             one job a call; prints jobs a second
//   submit_many CLIENTS SECONDS PAYLOAD        sets of 100
//   work VARIANT JOBS SECONDS                  works until JOBS are done or the time is over; prints jobs a second
//        graphile: one, four, sixteen (concurrency), local (24 at once, a local queue of 500, completion in batches)
//        pgboss: one, four, sixteen (loops of fetch and complete), many_one, many_four, many_sixteen (by 100)
//   receive                                    prints "mark microseconds" (monotonic) of each job, until stdin ends
const pg = require('pg')

const [host, port, database, peer, what, ...args] = process.argv.slice(2)
const where = { host, port: Number(port), user: 'postgres', database }
const BATCH = 100
const TIMES = { one: 1, four: 4, sixteen: 16, many_one: 1, many_four: 4, many_sixteen: 16 }
const now = () => Number(process.hrtime.bigint() / 1000n)

async function openGraphile (connections) {
  const { run, makeWorkerUtils, Logger } = require('graphile-worker')
  const pool = new pg.Pool({ ...where, max: connections })
  const logger = new Logger(() => () => {})
  const utils = await makeWorkerUtils({ pgPool: pool, logger })
  return {
    put: (data) => utils.addJob('bench', data),
    putMany: (data) => utils.addJobs(Array.from({ length: BATCH }, () => ({ identifier: 'bench', payload: data }))),
    start: (options, handler) => run({ pgPool: pool, logger, noHandleSignals: true, taskList: { bench: handler }, ...options })
  }
}

async function openBoss (connections) {
  const PgBoss = require('pg-boss')
  const boss = new PgBoss({ ...where, max: connections, supervise: false, schedule: false, migrate: false })
  boss.on('error', (problem) => console.error(problem))
  await boss.start()
  return {
    boss,
    put: (data) => boss.send('bench', data),
    putMany: (data) => boss.insert(Array.from({ length: BATCH }, () => ({ name: 'bench', data })))
  }
}

const open = peer === 'graphile' ? openGraphile : openBoss

async function submit (each, clients, seconds, payload) {
  const client = await open(clients + 1)
  const data = JSON.parse(payload)
  const call = each === 1 ? client.put : client.putMany
  await call(data)
  const began = now()
  let calls = 0
  await Promise.all(Array.from({ length: clients }, async () => {
    while (now() - began < seconds * 1e6) {
      await call(data)
      calls++
    }
  }))
  console.log(((calls * each) / ((now() - began) / 1e6)).toFixed(1))
}

async function workGraphile (variant, jobs, seconds) {
  const concurrency = TIMES[variant]
  const client = await open(variant === 'local' ? 26 : concurrency + 3)
  const options = variant === 'local'
    ? { preset: { worker: { concurrentJobs: 24, localQueue: { size: 500 }, completeJobBatchDelay: 0 } } }
    : { concurrency }
  let done = 0
  let finish
  const finished = new Promise((resolve) => { finish = resolve })
  const began = now()
  await client.start(options, async () => { if (++done === jobs) finish() })
  await Promise.race([finished, new Promise((resolve) => setTimeout(resolve, seconds * 1000))])
  console.log((done / ((now() - began) / 1e6)).toFixed(1))
}

async function workBoss (variant, jobs, seconds) {
  const { boss } = await open(TIMES[variant] + 1)
  const batchSize = variant.startsWith('many') ? BATCH : 1
  const began = now()
  let done = 0
  await Promise.all(Array.from({ length: TIMES[variant] }, async () => {
    while (done < jobs && now() - began < seconds * 1e6) {
      const taken = await boss.fetch('bench', { batchSize })
      if (taken.length === 0) break
      await boss.complete('bench', taken.map((job) => job.id))
      done += taken.length
    }
  }))
  console.log((done / ((now() - began) / 1e6)).toFixed(1))
}

async function receive () {
  const lines = []
  const note = (data) => {
    const mark = /^T(\d{10})/.exec(data.p)
    if (mark) lines.push(`${Number(mark[1])} ${now()}`)
  }
  const client = await open(12)
  if (peer === 'graphile') {
    await client.start({ concurrency: 10 }, async (data) => note(data))
  } else {
    await client.boss.work('bench', { pollingIntervalSeconds: 0.5, batchSize: BATCH }, async (jobs) => {
      for (const job of jobs) note(job.data)
    })
  }
  console.error('ready')
  for await (const ignored of process.stdin) void ignored
  console.log(lines.join('\n'))
}

const parts = {
  submit: () => submit(1, Number(args[0]), Number(args[1]), args[2]),
  submit_many: () => submit(BATCH, Number(args[0]), Number(args[1]), args[2]),
  work: () => (peer === 'graphile' ? workGraphile : workBoss)(args[0], Number(args[1]), Number(args[2])),
  receive
}
parts[what]().then(() => process.exit(0), (problem) => {
  console.error(problem)
  process.exit(1)
})
