// Files: uploaded once, downloaded as bytes, with refusals as of any other operation.
import assert from 'node:assert/strict'
import test from 'node:test'
import { createClient, getAttachmentFile, getMe, logIn, tokensIn, Unreachable, uploadAttachment, uploadsViaFetch, viaFetch } from '../dist/index.js'
import { BASE, codeOf, isTo, loseReplies, newcomer, startPhone } from './phone.mjs'

const NOBODY = '01a22452-0000-7000-8000-000000000000'
// One pixel.
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')
const isUpload = isTo('/attachments')

test('a file is uploaded once though a reply is lost, and downloaded', async () => {
  const phone = startPhone()
  const { person } = await phone.logIn()
  const { api, qx } = phone
  phone.files.set('tmp/avatar.png', PNG)
  loseReplies(phone, isUpload, 1)
  const body = { subject_type: 'person', subject_id: person.id, file: { path: 'tmp/avatar.png' } }
  const made = await qx.uploadAttachment(api, { body })
  const [first, second] = phone.sent.filter(isUpload)
  assert.deepEqual(first.form, { subject_type: 'person', subject_id: person.id })
  assert.equal(first.header['Idempotency-Key'], second.header['Idempotency-Key'])
  assert.equal(second.replayed, 'true')
  assert.deepEqual([made.subject.id, made.content_type], [person.id, 'image/png'])

  const file = await qx.getAttachmentFile(api, { path: { attachment_id: made.id } })
  assert.deepEqual([...Buffer.from(file.bytes).subarray(1, 4)], [...Buffer.from('PNG')])
  assert.equal(file.type, 'image/png')
})

test('a file is saved under its name', async () => {
  const phone = startPhone()
  await phone.logIn('alice')
  const { api, qx } = phone
  const file = await qx.exportMySignupsCsv(api)
  assert.match(file.name, /\.csv$/)
  const path = await qx.saveVia(phone.wx, file)
  assert.equal(path, `wxfile://usr/${file.name}`)
  assert.ok(phone.files.get(path).byteLength > 3)
  assert.match(await qx.getMyStatementHtml(api), /<html/)
})

test('a refusal of a download is read from its bytes', async () => {
  const phone = startPhone()
  await phone.logIn()
  const error = await phone.qx.getAttachmentFile(phone.api, { path: { attachment_id: NOBODY } }).catch(one => one)
  assert.equal(error.code, 'attachments.not_found')
  assert.match(error.message, /[\u4e00-\u9fff]/)
})

test('a page of a browser does the same with fetch', async () => {
  const stored = new Map()
  const call = (url, init) => fetch(url, init)
  const storage = { get: name => stored.get(name) ?? null, set: (name, text) => { stored.set(name, text) } }
  const api = createClient({
    baseUrl: BASE, transport: viaFetch(call), upload: uploadsViaFetch(call, FormData), tokens: tokensIn(storage),
  })
  api.hold(await logIn(api, { body: { code: await codeOf(newcomer()) } }))
  const me = await getMe(api)
  const file = new Blob([PNG], { type: 'image/png' })
  const made = await uploadAttachment(api, { body: { subject_type: 'person', subject_id: me.id, file } })
  const { bytes } = await getAttachmentFile(api, { path: { attachment_id: made.id } })
  assert.ok(bytes.byteLength > 50)
  const silent = createClient({ baseUrl: BASE, transport: viaFetch(() => new Promise(() => {}), 5), retries: 0 })
  await assert.rejects(getMe(silent), error => error instanceof Unreachable && /5 ms/.test(error.message))
})
