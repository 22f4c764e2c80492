// Writes test/generated/readme.ts: the TypeScript of README.md with its imports, to be compiled.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import * as client from '../dist/index.js'

const at = name => new URL(`../${name}`, import.meta.url)
const text = readFileSync(at('README.md'), 'utf8')
const blocks = [...text.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code.replace(/^import .*\n/gm, ''))
const code = blocks.join('\n')
const names = Object.keys(client).filter(name => new RegExp(`\\b${name}\\(|[(,] ?${name}\\b`).test(code))

mkdirSync(at('test/generated'), { recursive: true })
writeFileSync(at('test/generated/readme.ts'), `import { ${names.join(', ')} } from '@qingxiang/client'

declare const scanned: string, activity_id: string, charge_id: string, reason: string, version: number, me: { id: string }
declare const body: Parameters<typeof editActivity>[1]['body']
declare function show(text: string): void
declare function add(entry: { points: number }): void

${code}`)
