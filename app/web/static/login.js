// Asks every two seconds whether a phone has confirmed the code of this page.
const login = document.getElementById('login')
const words = login.dataset
const state = document.getElementById('state')
const ends = Date.now() + Number(words.seconds) * 1000

const wait = ms => new Promise(done => setTimeout(done, ms))

function over() {
  document.getElementById('code').classList.add('dead')
  document.getElementById('again').hidden = false
  state.textContent = words.over
}

async function ask() {
  const path = `/login/ticket?back=${encodeURIComponent(words.back)}`
  const headers = { Accept: 'application/json' }
  return fetch(path, { method: 'POST', headers, signal: AbortSignal.timeout(8000) })
}

async function untilConfirmed() {
  for (;;) {
    await wait(2000)
    if (Date.now() > ends) return over()
    try {
      const reply = await ask()
      if (reply.status === 200) {
        state.textContent = words.in
        return location.replace((await reply.json()).location)
      }
      if (reply.status === 404) return over()
      if (reply.status === 403) {
        over()
        state.textContent = (await reply.json()).msg
        return undefined
      }
      state.textContent = reply.status === 204 ? words.waiting : words.away
    } catch {
      state.textContent = words.away
    }
  }
}

untilConfirmed()
