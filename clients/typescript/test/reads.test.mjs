// Reads: unchanged replies are not sent again, refusals say what and why, lists have pages.
import assert from 'node:assert/strict'
import test from 'node:test'
import { isTo, startPhone } from './phone.mjs'

const NOBODY = '01a22452-0000-7000-8000-000000000000'

test('what has not changed is answered by 304 and taken from the kept reply', async () => {
  const phone = startPhone()
  await phone.logIn()
  const read = () => phone.qx.listActivities(phone.api, { query: { limit: 5 } })
  const first = await read()
  const text = JSON.stringify(first)
  first.items.length = 0
  first.spoilt = true
  assert.equal(JSON.stringify(await read()), text)
  assert.deepEqual(phone.sent.map(one => one.status), [200, 304])
  await phone.logIn()
  await read()
  assert.equal(phone.sent[0].header['If-None-Match'], undefined, 'a reply of the one before')
})

test('a refusal has a code, words and values', async () => {
  const phone = startPhone()
  await phone.logIn()
  const { qx, api } = phone
  const error = await qx.redeem(api, { body: { reward_id: NOBODY }, key: 'my-key' }).catch(one => one)
  assert.ok(error instanceof qx.Refused)
  assert.deepEqual([error.status, error.code, error.key], [404, 'rewards.not_found', 'my-key'])
  assert.match(error.message, /[\u4e00-\u9fff]/)
  assert.equal(error.problem.request_id.length > 8, true)
  assert.equal(qx.isRefused(error, qx.redeem), true)
  assert.equal(qx.isRefused(TypeError(), qx.redeem), false)

  const missing = await qx.checkIn(api, { body: {} }).catch(one => one)
  assert.deepEqual([missing.code, missing.problem.errors[0].field], ['request.invalid', 'body.code'])
  const english = startPhone({ language: 'en' })
  await assert.rejects(english.qx.getMe(english.api), ({ message }) => /^[ -~]+$/.test(message))
})

test('values of a refusal are those of the service', async () => {
  const phone = startPhone()
  const { person } = await phone.logIn()
  const { qx, api } = phone
  phone.files.set('tmp/large', new Uint8Array(6_000_000))
  const ask = { body: { subject_type: 'person', subject_id: person.id, file: { path: 'tmp/large' } } }
  const { code, facts } = await qx.uploadAttachment(api, ask).catch(one => one)
  assert.match(code, /too_large$/)
  assert.ok(facts.limit > 0 && facts.measure === 'bytes')
})

test('a page of a proxy is a refusal too', async () => {
  const phone = startPhone()
  phone.network.after = async () => ({ status: 502, headers: {}, bytes: new TextEncoder().encode('<html>').buffer })
  const error = await phone.qx.listActivities(phone.api).catch(one => one)
  assert.deepEqual([error.code, error.status], ['http.502', 502])
  assert.equal(phone.sent.length, 3)
})

test('a page of the network in place of a reply is no answer', async () => {
  const phone = startPhone()
  phone.network.after = async (_, reply) => ({ ...reply, bytes: new TextEncoder().encode('<html>').buffer })
  await assert.rejects(phone.qx.listActivities(phone.api), error => error instanceof phone.qx.Unreachable)
})

test('a reply to other headers is not taken for this one', async () => {
  const phone = startPhone()
  await phone.logIn('merchant')
  const { api, qx } = phone
  await qx.getToday(api)
  await qx.getToday(api, { header: { 'x-merchant': NOBODY } }).catch(error => error)
  assert.deepEqual(phone.sent.map(one => one.header['If-None-Match']), [undefined, undefined])
  await qx.getToday(api)
  assert.ok(phone.sent[2].header['If-None-Match'])
})

test('a list is read to its end', async () => {
  const phone = startPhone()
  await phone.logIn()
  const { qx, api } = phone
  const whole = []
  for await (const one of qx.each(api, qx.listOrgs, { query: { limit: 100 } })) whole.push(one.id)
  assert.ok(whole.length > 3)
  phone.sent.length = 0
  const found = []
  for await (const one of qx.each(api, qx.listOrgs, { query: { limit: 2 } })) {
    found.push(one.id)
    if (found.length === 5) break
  }
  assert.deepEqual(found, whole.slice(0, 5))
  assert.equal(phone.sent.filter(isTo('/orgs', 'GET')).length, 3)
})
