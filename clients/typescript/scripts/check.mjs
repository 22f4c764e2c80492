// Checks the built package: what users write and what README.md says compiles (and what is wrong
// does not), sizes, publint, attw. Exits with 1 after a finding.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import './readme.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

/** Runs a tool; ends with its status if it finds something. */
function run(tool, ...words) {
  const { status } = spawnSync(process.execPath, [`node_modules/${tool}`, ...words], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

run('typescript/bin/tsc', '--project', 'test/tsconfig.json')

// Names of what is bundled, and the most bytes that it may have, minified and not compressed.
const RUNTIME = 'createClient, newKey, viaWx, viaFetch, uploadsViaWx, uploadsViaFetch, wxStorage, webStorage, tokensIn, '
  + 'createQueue, each, saveVia, isRefused, Refused, Unreachable'
const LIMITS = [
  ['three calls', 'createClient, viaWx, logIn, listActivities, checkIn', 4096],
  ['all parts', `${RUNTIME}, logIn, redeem, uploadAttachment, exportMySignupsXlsx, getPickListHtml`, 10_240],
]
for (const [what, names, limit] of LIMITS) {
  const { outputFiles: [{ contents }] } = await build({
    stdin: { contents: `export { ${names} } from './dist/index.js'`, resolveDir: process.cwd() },
    bundle: true, minify: true, format: 'esm', target: 'es2018', charset: 'utf8', write: false,
  })
  report(what, contents.length, limit, gzipSync(contents).length)
}
report('miniprogram_dist, every operation', statSync('miniprogram_dist/index.js').size, 64 * 1024)

// What npm would publish, packed by the npm of PATH: these tools' own call finds a broken one.
const folder = mkdtempSync(join(tmpdir(), 'qingxiang-client-'))
execFileSync('npm', ['pack', '--silent', '--pack-destination', folder])
const tarball = join(folder, readdirSync(folder)[0])
run('publint/src/cli.js', tarball, '--strict')
run('@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'node16', '--no-emoji', '--no-color')
rmSync(folder, { recursive: true })

function report(what, bytes, limit, gz) {
  console.log(`${what}: ${bytes} bytes minified of at most ${limit}${gz ? `, ${gz} gz` : ''}`)
  if (bytes > limit) {
    console.error(`${what}: too large`)
    process.exitCode = 1
  }
}
