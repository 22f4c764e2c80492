// Checks clients/openapi.json: no finding of Spectral and Redocly; what openapi-typescript and
// orval generate from it compiles strictly. Exits with 1 after a finding.
import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const DOCUMENT = "../openapi.json";

function run(tool, ...words) {
  return new Promise((done) => {
    const began = Date.now();
    const child = spawn(`node_modules/.bin/${tool}`, words, { cwd: here });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (said += part));
    child.on("error", (error) => done([tool, false, String(error)]));
    child.on("close", (status) => {
      console.log(`${tool}: ${status === 0 ? "ok" : "failed"} after ${Date.now() - began} ms`);
      done([tool, status === 0, said]);
    });
  });
}

function report(results) {
  const failed = results.filter(([, ok]) => !ok);
  for (const [tool, , said] of failed) console.error(`${tool}\n${said}`);
  if (failed.length > 0) process.exit(1);
}

rmSync(`${here}/generated`, { recursive: true, force: true });
mkdirSync(`${here}/generated`);
report(
  await Promise.all([
    run("spectral", "lint", DOCUMENT, "--ruleset", "spectral.yaml", "--fail-severity", "hint"),
    run("redocly", "lint", DOCUMENT, "--config", "redocly.yaml", "--max-problems", "50"),
    // Without the option a field of a request with a default would be required.
    run("openapi-typescript", DOCUMENT, "-o", "generated/schema.ts", "--default-non-nullable=false"),
    run("orval", "--config", "orval.config.mjs"),
  ]),
);
report([await run("tsc", "--project", ".")]);
