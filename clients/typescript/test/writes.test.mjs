// Writes: a reply that was lost costs nothing, what was written offline is sent in order.
import assert from 'node:assert/strict'
import test from 'node:test'
import { isTo, loseReplies, startPhone } from './phone.mjs'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const isCopy = isTo('/copies')
let titles = 0

async function organizer(options, stored) {
  const phone = startPhone(options, stored)
  const login = await phone.logIn('organizer')
  return { ...phone, me: login.person.id }
}

/** Creates a draft with a title of its own that begins in `days`. */
async function draft({ api, qx }, days = 2) {
  const { roles } = await qx.getMe(api)
  const startsAt = Date.now() + days * DAY
  return qx.createActivity(api, { body: {
    org_id: roles.find(one => one.role === 'organizer').org_id,
    title: `复制 ${process.pid}-${++titles}`, category: 'volunteer_service', rule_key: 'volunteer_hour',
    starts_at: new Date(startsAt).toISOString(), ends_at: new Date(startsAt + HOUR).toISOString(),
  } })
}

/** Returns the starts of all activities with a title, in the order in which they were made. */
async function startsOf({ api, qx }, title) {
  const found = []
  for await (const one of qx.each(api, qx.listMyActivities, { query: { limit: 50 } })) if (one.title === title) found.push(one)
  return found.sort((a, b) => (a.id < b.id ? -1 : 1)).map(one => new Date(one.starts_at).getTime())
}

const copyOf = (activity, days) => ({
  path: { activity_id: activity.id }, body: { starts_at: new Date(Date.now() + days * DAY).toISOString() },
})

test('a write with a key is sent again with the same key and takes place once', async () => {
  const phone = await organizer()
  const activity = await draft(phone)
  loseReplies(phone, isCopy, 2)
  const copy = await phone.qx.copyActivity(phone.api, copyOf(activity, 9))
  const tries = phone.sent.filter(isCopy)
  assert.equal(tries.length, 3)
  assert.equal(new Set(tries.map(one => one.header['Idempotency-Key'])).size, 1)
  assert.deepEqual(tries.map(one => one.replayed), [undefined, 'true', 'true'])
  assert.equal((await startsOf(phone, activity.title)).length, 2)
  assert.notEqual(copy.id, activity.id)
})

test('when no answer comes at all the error has the key, for the next try', async () => {
  const phone = await organizer()
  const activity = await draft(phone)
  loseReplies(phone, isCopy, 3)
  const ask = copyOf(activity, 9)
  const error = await phone.qx.copyActivity(phone.api, ask).catch(one => one)
  assert.ok(error instanceof phone.qx.Unreachable)
  await phone.qx.copyActivity(phone.api, { ...ask, key: error.key })
  assert.equal((await startsOf(phone, activity.title)).length, 2)
})

test('a write without a key is sent once, unless repeating it changes nothing', async () => {
  const phone = await organizer()
  loseReplies(phone, isTo('/activities'), 1)
  await assert.rejects(draft(phone), error => error instanceof phone.qx.Unreachable && error.key === undefined)
  assert.equal(phone.sent.filter(isTo('/activities')).length, 1)

  const activity = await draft(phone)
  await phone.qx.publishActivity(phone.api, { path: { activity_id: activity.id } })
  const resident = startPhone()
  await resident.logIn()
  loseReplies(resident, isTo('/signups'), 1)
  await resident.qx.signUp(resident.api, { path: { activity_id: activity.id } })
  assert.deepEqual(resident.sent.filter(isTo('/signups')).map(one => one.status), [201, 200])
})

test('a busy service is asked again with the same key, after the seconds that it names', async () => {
  const waits = []
  const phone = await organizer({ wait: async ms => { waits.push(ms) } })
  const activity = await draft(phone)
  let busy = 1
  const problem = { code: 'service.busy', msg: '忙', facts: { retry_after: 3 } }
  phone.network.after = async (request, reply) => (isCopy(request) && busy-- > 0
    ? { ...reply, status: 503, bytes: new TextEncoder().encode(JSON.stringify(problem)).buffer } : undefined)
  await phone.qx.copyActivity(phone.api, copyOf(activity, 9))
  assert.deepEqual(waits, [3000])
  assert.equal((await startsOf(phone, activity.title)).length, 2)
})

test('what was written offline survives a restart and is sent in order, each once', async () => {
  const first = await organizer({ retries: 0 })
  const activity = await draft(first)
  const options = { storage: first.storage, owner: first.me }
  const queue = first.qx.createQueue(first.api, options)
  first.network.before = async () => { throw Error('no network') }
  const days = [30, 10, 20]
  for (const one of days) queue.add(first.qx.copyActivity, copyOf(activity, one))
  queue.add(first.qx.copyActivity, copyOf({ id: '01a22452-0000-7000-8000-000000000000' }, 5))
  queue.add(first.qx.copyActivity, copyOf(activity, 40))
  assert.equal(await queue.drain(), 5)
  // The network is back for one request, whose reply is lost; then the phone is switched off.
  first.network.before = async () => {}
  loseReplies(first, isCopy, 1)
  assert.equal(await queue.drain(), 5)

  const second = startPhone({}, first.stored)
  const done = []
  const refused = []
  const again = second.qx.createQueue(second.api, {
    ...options, storage: second.storage,
    onDone: (write, result) => done.push(result), onRefused: (write, refusal) => refused.push(refusal.status),
  })
  assert.deepEqual(await Promise.all([again.drain(), again.drain()]), [0, 0])
  assert.equal(second.sent.filter(isCopy).length, 5)
  assert.equal(second.sent.find(isCopy).replayed, 'true')
  assert.deepEqual([done.length, ...refused], [4, 404])
  const starts = await startsOf(second, activity.title)
  const asDays = starts.map(one => Math.round((one - Date.now()) / DAY))
  assert.deepEqual(asDays, [2, ...days, 40])
  assert.equal(second.qx.createQueue(second.api, options).waiting().length, 0)
})

test('a queue belongs to a person, waits for a login and forgets what is too old', async () => {
  const phone = await organizer()
  const activity = await draft(phone)
  const expired = []
  let now = Date.now()
  const options = { storage: phone.storage, owner: phone.me, now: () => now, onExpired: write => expired.push(write) }
  const queue = phone.qx.createQueue(phone.api, options)
  queue.add(phone.qx.copyActivity, copyOf(activity, 9))
  assert.equal(phone.qx.createQueue(phone.api, { ...options, owner: 'another' }).waiting().length, 0)
  phone.api.hold(null)
  assert.equal(await queue.drain(), 1)
  await phone.logIn('organizer')
  now += phone.qx.LONGEST_WAIT_MS + 1
  assert.equal(await queue.drain(), 0)
  assert.equal(expired.length, 1)
  assert.equal((await startsOf(phone, activity.title)).length, 1)
})

test('a queue that is full says so before anything is lost', async () => {
  const phone = await organizer()
  const queue = phone.qx.createQueue(phone.api, { storage: phone.storage, owner: 'full' })
  const add = () => queue.add(phone.qx.copyActivity, copyOf({ id: 'x' }, 1))
  for (let n = 0; n < phone.qx.MOST_WRITES; n++) add()
  assert.throws(add, error => error.name === 'RangeError')
  assert.equal(queue.waiting().length, phone.qx.MOST_WRITES)
})
