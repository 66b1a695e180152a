// Checks of kafkajs. Its modules come from NODE_PATH; gzip is its own, the other codecs are
// packages that it asks its users to plug in.
'use strict'
const { Kafka, CompressionTypes, CompressionCodecs, Partitioners, logLevel } = require('kafkajs')
const snappy = require('kafkajs-snappy')
const lz4 = require('lz4-napi')
const zstd = require('@bokuweb/zstd-wasm')

const PATIENCE = 45_000
const [bootstrap, name, stage] = process.argv.slice(2)
const kafka = new Kafka({ clientId: name, brokers: bootstrap.split(','), logLevel: logLevel.NOTHING })

CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: async encoder => lz4.compressFrame(encoder.buffer),
  decompress: async buffer => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => Buffer.from(zstd.compress(encoder.buffer)),
  decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
})

async function check(what, action) {
  const began = Date.now()
  try {
    await action()
    console.log(`ok ${what} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
  } catch (err) {
    console.log(`FAIL ${what} ${String(err).replace(/\s+/g, ' ')}`)
    console.error(err)
  }
}

function expect(got, want, what) {
  const [g, w] = [JSON.stringify(got), JSON.stringify(want)]
  if (g !== w) throw new Error(`${what}: got ${g.slice(0, 300)}, want ${w.slice(0, 300)}`)
}

const pause = millis => new Promise(resolve => setTimeout(resolve, millis))

async function until(what, condition) {
  for (const end = Date.now() + PATIENCE; !(await condition()); await pause(20)) {
    if (Date.now() > end) throw new Error(`${what}: not within ${PATIENCE} ms`)
  }
}

const values = (n, prefix = 'value') => Array.from({ length: n }, (_, i) => `${prefix}-${i}-${'abcdefghij'.repeat(20)}`)

async function withProducer(options, use) {
  const p = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...options })
  await p.connect()
  try {
    return await use(p)
  } finally {
    await p.disconnect()
  }
}

function messages(vs, partitions = 1) {
  return vs.map((value, i) => ({ key: `key-${i}`, value, partition: i % partitions, headers: { header: `${i}` } }))
}

// read returns n messages of a topic's beginning, then those that come within a moment. kafkajs
// reads as a member of a group only; this one is of a group of its own.
async function read(topic, n, options = {}) {
  const c = kafka.consumer({ groupId: `${topic}-${Math.random()}`, maxWaitTimeInMs: 200, ...options })
  const got = []
  await c.connect()
  try {
    await c.subscribe({ topic, fromBeginning: true })
    await c.run({ autoCommit: false, eachMessage: async ({ message }) => void got.push(message) })
    await until(`${n} records of ${topic}`, () => got.length >= n)
    await pause(500)
    return got
  } finally {
    await c.disconnect()
  }
}

const valuesOf = got => got.map(m => m.value.toString())

async function withAdmin(use) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await use(admin)
  } finally {
    await admin.disconnect()
  }
}

async function admin() {
  const topic = `${name}-admin`
  await withAdmin(async a => {
    await a.createTopics({ topics: [{ topic, numPartitions: 3, configEntries: [{ name: 'retention.ms', value: '7200000' }] }] })
    const metadata = await a.fetchTopicMetadata({ topics: [topic] })
    expect(metadata.topics[0].partitions.length, 3, 'partitions')
    const configs = await a.describeConfigs({ resources: [{ type: 2, name: topic, configNames: ['retention.ms'] }] })
    expect(configs.resources[0].configEntries[0].configValue, '7200000', 'retention.ms')
    await a.deleteTopics({ topics: [topic] })
    await until('the topic is gone', async () => !(await a.listTopics()).includes(topic))
  })
}

async function codec(codecName, compression) {
  const topic = `${name}-${codecName}`
  const vs = values(100)
  await withProducer({}, p => p.send({ topic, compression, messages: messages(vs) }))
  const got = await read(topic, 100)
  expect(valuesOf(got), vs, 'values')
  expect(got.map(m => m.key.toString()), vs.map((_, i) => `key-${i}`), 'keys')
  expect(got.map(m => m.headers.header.toString()), vs.map((_, i) => `${i}`), 'headers')
}

async function group() {
  const topic = `${name}-group`
  const seen = new Set()
  const assigned = [[], [], []]
  const shared = sizes => sizes.every((n, i) => assigned[i].length === n) && new Set(assigned.flat()).size === 6
  const members = await Promise.all([0, 1, 2].map(async i => {
    const c = kafka.consumer({ groupId: topic, sessionTimeout: 6000, heartbeatInterval: 500, maxWaitTimeInMs: 200 })
    c.on(c.events.GROUP_JOIN, e => void (assigned[i] = e.payload.memberAssignment[topic] ?? []))
    c.on(c.events.REBALANCING, () => void (assigned[i] = []))
    await c.connect()
    await c.subscribe({ topic, fromBeginning: true })
    await c.run({ eachMessage: async ({ message }) => void seen.add(message.value.toString()) })
    return c
  }))
  const write = vs => withProducer({}, p => p.send({ topic, messages: messages(vs, 6) }))
  try {
    await until('two partitions each', () => shared([2, 2, 2]))
    const before = values(60, 'before')
    await write(before)
    await until('60 records', () => before.every(v => seen.has(v)))
    await members[2].disconnect()
    assigned[2] = []
    await until('three partitions each', () => shared([3, 3, 0]))
    const after = values(60, 'after')
    await write(after)
    await until('60 more records', () => after.every(v => seen.has(v)))
  } finally {
    await Promise.all(members.map(m => m.disconnect()))
  }
}

async function commit() {
  const topic = `${name}-commit`
  await withProducer({}, p => p.send({ topic, messages: messages(values(100)) }))
  const c = kafka.consumer({ groupId: topic, maxWaitTimeInMs: 200 })
  await c.connect()
  await c.subscribe({ topic, fromBeginning: true })
  let done = false
  await c.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      if (message.offset !== '49') return
      await c.commitOffsets([{ topic, partition, offset: '50', metadata: 'half' }])
      done = true
    },
  })
  await until('50 records', () => done)
  await c.disconnect()
  await committed(topic, '50')
}

async function committed(group, want) {
  await withAdmin(async a => {
    const [{ partitions }] = await a.fetchOffsets({ groupId: group, topics: [group] })
    expect(partitions[0].offset, want, 'committed offset')
  })
}

async function idempotent() {
  const topic = `${name}-idempotent`
  const vs = values(500)
  await withProducer({ idempotent: true, maxInFlightRequests: 1 }, async p => {
    for (let i = 0; i < 500; i += 50) await p.send({ topic, messages: messages(vs.slice(i, i + 50)) })
  })
  expect(valuesOf(await read(topic, 500)), vs, 'values')
}

async function transaction() {
  const topic = `${name}-txn`
  await withProducer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 }, async p => {
    for (const kind of ['one', 'aborted', 'two']) {
      const txn = await p.transaction()
      await txn.send({ topic, messages: messages(values(10, kind)) })
      await (kind === 'aborted' ? txn.abort() : txn.commit())
    }
  })
  expect(valuesOf(await read(topic, 20)), [...values(10, 'one'), ...values(10, 'two')], 'read_committed')
  expect((await read(topic, 30, { readUncommitted: true })).length, 30, 'read_uncommitted')
}

async function txnOffsets() {
  const group = `${name}-txnin`
  await withProducer({ transactionalId: group, idempotent: true, maxInFlightRequests: 1 }, async p => {
    const txn = await p.transaction()
    await txn.send({ topic: `${name}-txn`, messages: messages(values(1, 'offsets')) })
    await txn.sendOffsets({ consumerGroupId: group, topics: [{ topic: group, partitions: [{ partition: 0, offset: '7' }] }] })
    await txn.commit()
  })
  // The markers are written after the producer was told of the end.
  await until('the committed offset', () => committed(group, '7').then(() => true, () => false))
}

async function restart() {
  const topic = `${name}-commit`
  await committed(topic, '50')
  const got = await read(topic, 50, { groupId: topic })
  expect(got.map(m => m.offset), Array.from({ length: 50 }, (_, i) => `${50 + i}`), 'offsets')
  await committed(`${name}-txnin`, '7')
}

async function main() {
  await zstd.init()
  if (stage === 'again') {
    await check('restart', restart)
  } else {
    await check('admin', admin)
    const types = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', lz4: 'LZ4', zstd: 'ZSTD' }
    for (const [c, type] of Object.entries(types)) await check(c, () => codec(c, CompressionTypes[type]))
    await check('group', group)
    await check('commit', commit)
    await check('idempotent', idempotent)
    await check('transaction', transaction)
    await check('txn-offsets', txnOffsets)
  }
  console.log('done')
  process.exit(0)
}

main()
