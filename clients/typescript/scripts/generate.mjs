// Writes src/generated: schema.ts (types), operations.ts (one constant an operation) and
// refusals.ts (which codes an operation has, which facts a code has), from ../openapi.json.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import openapiTS, { astToString } from 'openapi-typescript'
import ts from 'typescript'

const FOLDER = new URL('../src/generated/', import.meta.url)
const NOTE = '// Made by scripts/generate.mjs from openapi.json. Do not edit.\n'
const JSON_TYPE = 'application/json'
const FORM = 'multipart/form-data'
const TEXTS = ['image/svg+xml', 'text/html']
const OWN_HEADERS = ['idempotency-key', 'if-none-match'] // the client sends them

const document = JSON.parse(readFileSync(new URL('../../openapi.json', import.meta.url), 'utf8'))
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, one]) => ({ path, method: method.toUpperCase(), ...one })))
// Not for clients: probes, what WeChat calls, streams (mini-programs cannot read them).
const isForClients = one => one.path.startsWith('/api/v1/') && !one.path.startsWith('/api/v1/wechat/')
  && !contentOf(one.responses[200] ?? {}).includes('text/event-stream')
const used = operations.filter(isForClients)

function contentOf(body) {
  return Object.keys(body?.content ?? {})
}

/** Returns the document without what a caller does not see: refusals, headers, links, the rest. */
function lean() {
  const copy = structuredClone(document)
  delete copy.components.headers
  for (const [path, methods] of Object.entries(copy.paths)) {
    for (const [method, one] of Object.entries(methods)) {
      if (!used.some(({ operationId }) => operationId === one.operationId)) {
        delete methods[method]
        continue
      }
      one.parameters = (one.parameters ?? []).filter(each => !OWN_HEADERS.includes(each.name))
      const content = one.requestBody?.content
      if (content?.[JSON_TYPE]) one.requestBody.content = { [JSON_TYPE]: content[JSON_TYPE] }
      for (const [status, response] of Object.entries(one.responses)) {
        if (status >= '300') delete one.responses[status]
        delete response.headers
        delete response.links
        for (const one of Object.values(response.content ?? {})) delete one.example
      }
    }
    if (!Object.keys(methods).length) delete copy.paths[path]
  }
  return copy
}

/** A file in a form is an Upload, not the text that the document says. */
function transform(schema) {
  if (schema.contentMediaType === 'application/octet-stream') return ts.factory.createTypeReferenceNode('Upload')
  return undefined
}

function constant(one) {
  const { method, path, operationId, responses, requestBody } = one
  const headers = (one.parameters ?? []).map(each => each.name)
  const hasKey = headers.includes('idempotency-key')
  const replies = contentOf(responses[200] ?? responses[201] ?? {})
  // A repeat of these is 200 with the first result, and the document says so.
  const isRepeatable = (method === 'PUT' && !headers.includes('if-match')) || (responses[200] && responses[201])
  const of = name => `${name}<'${operationId}'>`
  if (replies.length && !replies.includes(JSON_TYPE)) {
    return replies.every(type => TEXTS.includes(type)) ? `${of('readingText')}('${path}')` : `${of('downloading')}('${path}')`
  }
  const bodies = contentOf(requestBody)
  if (bodies.includes(FORM) && !bodies.includes(JSON_TYPE)) return `${of('uploading')}('${path}', ${hasKey})`
  if (method === 'GET') return `${of('reading')}('${path}')`
  if (hasKey) return `${of('keyed')}('${method}', '${path}')`
  return `${of('writing')}('${method}', '${path}'${isRepeatable ? ', true' : ''})`
}

function documented(one) {
  const words = (one.description ?? one.summary ?? '').replaceAll('*/', '* /')
  return `/**\n${words.split('\n').map(line => ` * ${line}`.trimEnd()).join('\n')}\n */`
}

function codesOf(one) {
  const found = new Set()
  for (const response of Object.values(one.responses)) {
    const schema = response.content?.['application/problem+json']?.schema
    for (const part of schema?.allOf ?? []) for (const code of part.properties?.code?.enum ?? []) found.add(code)
  }
  return [...found].sort()
}

function refusals() {
  const facts = {}
  for (const one of used) {
    for (const response of Object.values(one.responses)) Object.assign(facts, response['x-facts'])
  }
  const union = names => names.map(name => `'${name}'`).join(' | ')
  const lines = (rows) => rows.map(([name, names]) => `  '${name}': ${union(names)}`).join('\n')
  return `/** Names of the facts that a code may have. */
export interface FactsOf {
${lines(Object.entries(facts).sort(([a], [b]) => (a < b ? -1 : 1)))}
}

/** Codes of the refusals that an operation may answer with. */
export interface CodesOf {
${lines(used.map(one => [one.operationId, codesOf(one)]).filter(([, codes]) => codes.length))}
}
`
}

const written = astToString(await openapiTS(lean(), {
  defaultNonNullable: false, emptyObjectsUnknown: true, rootTypes: true, rootTypesNoSchemaPrefix: true, transform,
  inject: "import type { Upload } from '../client.js'\n",
}))
// Operations are found by name, never by path.
const schema = written.replace(/export interface paths \{[^]*?\n\}\n/, '')
const constants = used.map(one =>
  `${documented(one)}\nexport const ${one.operationId} = /* @__PURE__ */ ${constant(one)}`)
const imports = `import { downloading, readingText } from '../download.js'
import { keyed, reading, writing } from '../operation.js'
import { uploading } from '../upload.js'
`
mkdirSync(FOLDER, { recursive: true })
for (const [name, text] of [
  ['schema.ts', schema],
  ['operations.ts', `${imports}\n${constants.join('\n\n')}\n`],
  ['refusals.ts', refusals()],
]) {
  writeFileSync(new URL(name, FOLDER), NOTE + text)
}
console.log(`${used.length} operations of ${operations.length}`)
