// Writes dist (modules and types; dist/cjs: the same types for require) and miniprogram_dist (one
// minified CommonJS file, as WeChat's tools take it).
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
for (const folder of ['dist', 'miniprogram_dist']) rmSync(folder, { recursive: true, force: true })

execFileSync(process.execPath, ['node_modules/typescript/bin/tsc'], { stdio: 'inherit' })
await build({
  absWorkingDir: process.cwd(), entryPoints: ['dist/index.js'], bundle: true, minify: true, format: 'cjs', target: 'es2018', charset: 'utf8',
  outfile: 'miniprogram_dist/index.js', logLevel: 'warning',
})
for (const name of readdirSync('dist', { recursive: true })) {
  if (!name.endsWith('.d.ts')) continue
  const target = join('dist/cjs', name.replace(/\.d\.ts$/, '.d.cts'))
  mkdirSync(join(target, '..'), { recursive: true })
  writeFileSync(target, readFileSync(join('dist', name), 'utf8').replace(/((?:from |import\()['"]\.[^'"]*)\.js/g, '$1.cjs'))
}
// The last file: make takes it for the build.
writeFileSync('miniprogram_dist/package.json', '{ "type": "commonjs" }\n')
