// Logins: renewed once for all, kept when it is not known to have ended, ended when it has.
import assert from 'node:assert/strict'
import test from 'node:test'
import { codeOf, isTo, newcomer, startPhone } from './phone.mjs'

const isRefresh = isTo('/auth/refresh')
const refreshes = phone => phone.sent.filter(isRefresh).length

test('a refresh token is spent once, however many wait', async () => {
  const phone = startPhone()
  const login = await phone.logIn()
  phone.api.hold({ ...login, access_token: 'stale' })
  const { getMe } = phone.qx
  const all = await Promise.all([1, 2, 3, 4].map(() => getMe(phone.api)))
  assert.deepEqual(new Set(all.map(me => me.id)), new Set([login.person.id]))
  assert.equal(refreshes(phone), 1)
})

test('a 401 that comes late does not renew what was renewed', async () => {
  const phone = startPhone()
  const login = await phone.logIn()
  phone.api.hold({ ...login, access_token: 'stale' })
  const { getMe, listMyNotices } = phone.qx
  let deliver
  const held = new Promise(done => { deliver = done })
  phone.network.after = request => (request.status === 401 && isTo('/notices', 'GET')(request) ? held : undefined)
  const late = listMyNotices(phone.api)
  await getMe(phone.api)
  deliver()
  await late
  assert.equal(refreshes(phone), 1)
})

test('who logs out during a renewal stays logged out', async () => {
  const phone = startPhone()
  const login = await phone.logIn()
  phone.api.hold({ ...login, access_token: 'stale' })
  phone.network.after = async request => { if (isRefresh(request)) phone.api.hold(null) }
  await assert.rejects(phone.qx.getMe(phone.api), error => error.code === 'auth.login_required')
  assert.equal(JSON.parse(phone.stored.get('qx.tokens')), null)
})

test('a renewal without an answer keeps the login, and is not sent again by itself', async () => {
  const phone = startPhone()
  const login = await phone.logIn()
  phone.api.hold({ ...login, access_token: 'stale' })
  phone.network.before = async request => { if (isRefresh(request)) throw Error('tunnel') }
  await assert.rejects(phone.qx.getMe(phone.api), error => error instanceof phone.qx.Unreachable)
  assert.equal(refreshes(phone), 1)
  phone.network.before = async () => {}
  assert.equal((await phone.qx.getMe(phone.api)).id, login.person.id)
})

test('a login that has ended is made anew, once', async () => {
  let made = 0
  const phone = startPhone({
    logIn: async api => { made++; return phone.qx.logIn(api, { body: { code: await codeOf(newcomer()) } }) },
  })
  phone.api.hold({ access_token: 'stale', refresh_token: 'spent' })
  const { getMe } = phone.qx
  const [one, two] = await Promise.all([getMe(phone.api), getMe(phone.api)])
  assert.equal(one.id, two.id)
  assert.equal(made, 1)
})

test('without a login public lists are read, and logging out ends a login that was renewed', async () => {
  const phone = startPhone()
  phone.api.hold({ access_token: 'stale', refresh_token: 'spent' })
  const { getMe, listActivities, logOut } = phone.qx
  assert.ok((await listActivities(phone.api)).items)
  const login = await phone.logIn()
  phone.api.hold({ ...login, access_token: 'stale' })
  assert.equal(await logOut(phone.api, { body: { refresh_token: login.refresh_token } }), undefined)
  await assert.rejects(getMe(phone.api), error => error.status === 401)
})
