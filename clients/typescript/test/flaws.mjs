// Planted flaws: each breaks one line of the source, and the test named must then fail.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
// [file, right, wrong, tests, name of the test]
const FLAWS = [
  ['client', 'if (!renewing) renewing =', 'renewing =', 'login', 'a refresh token is spent once'],
  ['client', 'now && (!used || now.access_token !== used.access_token)', 'false', 'login', 'a 401 that comes late'],
  ['client', 'if (isHeld()) tokens!.set(next)', 'tokens!.set(next)', 'login', 'who logs out during a renewal'],
  ['client', 'if (!(error instanceof Refused) || error.status !== 401) throw error', '', 'login', 'a renewal without an answer'],
  ['client', 'if (logIn) hold(await logIn(client))', '', 'login', 'a login that has ended'],
  ['client', 'LOGIN_PATHS.includes(path)', 'path.includes("/auth/")', 'login', 'without a login public lists'],
  ['client', "headers['Idempotency-Key'] = key", "headers['Idempotency-Key'] = newKey()", 'writes', 'a write with a key'],
  ['client', 'route.key || route.again ? retries : 0', '0', 'writes', 'a write with a key'],
  ['client', 'throw new Unreachable(String(error), key)', 'throw new Unreachable(String(error), undefined)', 'writes', 'when no answer'],
  ['client', 'route.key || route.again ? retries : 0', 'retries', 'writes', 'a write without a key'],
  ['client', 'after ? after * 1000 : pause', 'pause', 'writes', 'a busy service'],
  ['client', "if (etag) headers['If-None-Match'] = etag", '', 'reads', 'what has not changed'],
  ['client', 'kept = new Map()\n    if', 'if', 'reads', 'what has not changed'],
  ['client', 'if (problem.code) return', 'if (!problem) return', 'reads', 'a refusal has a code'],
  ['refused', 'problem.facts || {}', '{}', 'reads', 'values of a refusal'],
  ['client', '} catch { /* a proxy\'s page */ }', '} finally {}', 'reads', 'a page of a proxy'],
  ['client', "throw new Unreachable('a reply that is not JSON', key)", '', 'reads', 'a page of the network'],
  ['client', "url + JSON.stringify(asked.header || '')", 'url', 'reads', 'a reply to other headers'],
  ['each', 'cursor = page.next_cursor', 'cursor = null', 'reads', 'a list is read'],
  ['upload', 'header: headers', 'header: {}', 'files', 'a file is uploaded once'],
  ['upload', 'formData[field] = String(value)', '0', 'files', 'a file is uploaded once'],
  ['wx', "binary ? 'arraybuffer' : 'text'", "'text'", 'files', 'a file is uploaded once'],
  ['download', "nameIn(headerOf(reply, 'content-disposition') || '')", "''", 'files', 'a file is saved'],
  ['download', 'return decodeURIComponent(text)', 'return text', 'files', 'a refusal of a download'],
  ['queue', 'let write = waiting()[0]; write; write = waiting()[0]', 'let write = waiting().pop(); write; write = waiting().pop()', 'writes', 'what was written offline'],
  ['queue', 'qx.queue.${owner}', 'qx.queue.${owner}.${newKey()}', 'writes', 'what was written offline'],
  ['queue', 'if (!draining) draining =', 'draining =', 'writes', 'what was written offline'],
  ['queue', 'if (onRefused) onRefused(write, error)', 'throw error', 'writes', 'what was written offline'],
  ['queue', 'qx.queue.${owner}', 'qx.queue', 'writes', 'a queue belongs'],
  ['queue', 'if (mayComeTrue(error)) break', '', 'writes', 'a queue belongs'],
  ['queue', 'now() - write.at > LONGEST_WAIT_MS', 'false', 'writes', 'a queue belongs'],
  ['queue', 'writes.length >= MOST_WRITES', 'false', 'writes', 'a queue that is full'],
]

/** Bundles the source with one line replaced; returns the path. */
async function broken(folder, number, [file, right, wrong]) {
  const outfile = join(folder, `${number}.js`)
  await build({
    absWorkingDir: process.cwd(), entryPoints: ['src/index.ts'], bundle: true, format: 'cjs', target: 'es2018', outfile, logLevel: 'error',
    plugins: [{
      name: 'flaw',
      setup: ({ onLoad }) => onLoad({ filter: /src\/\w+\.ts$/ }, ({ path }) => {
        const text = readFileSync(path, 'utf8')
        if (basename(path) !== `${file}.ts`) return { contents: text, loader: 'ts' }
        if (text.split(right).length !== 2) throw Error(`${file}.ts does not have once: ${right}`)
        return { contents: text.replace(right, () => wrong), loader: 'ts' }
      }),
    }],
  })
  return outfile
}

const folder = mkdtempSync(join(tmpdir(), 'qingxiang-flaws-'))
for (const [number, flaw] of FLAWS.entries()) {
  const [, right, , tests, name] = flaw
  const outfile = await broken(folder, number, flaw)
  const { status, stdout } = spawnSync(
    process.execPath, ['--test-name-pattern', `^${name}`, '--test-reporter', 'tap', `test/${tests}.test.mjs`],
    { env: { ...process.env, QX_CLIENT: outfile }, encoding: 'utf8', timeout: 60_000 },
  )
  const isFound = status === 1 && stdout.includes(`not ok`)
  if (!isFound || process.env.QX_VERBOSE) console.log(stdout)
  if (isFound) console.log(`found: ${right.split('\n')[0]}`)
  else {
    console.error(`not found by "${name}": ${right}`)
    process.exitCode = 1
  }
}
rmSync(folder, { recursive: true })
