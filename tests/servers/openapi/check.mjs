// node check.mjs FILE
//
// Holds an OpenAPI document of the bus against public tools:
//   1. the OpenAPI 3.1 meta-schema (@seriousme/openapi-schema-validator) and the recommended rules of Redocly;
//   2. openapi-typescript makes types from it;
//   3. tsc --strict checks client.ts, and a program that calls every operation through openapi-fetch.
// Exit status 0 when all is clean, 1 when not, 2 when called wrongly. Nothing is fetched; what is written goes to a
// temporary directory.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Deeper than this only what is required is filled in, so that a schema which holds itself comes to an end. */
const DEPTH_MAX = 4;
const home = dirname(fileURLToPath(import.meta.url));
const file = process.argv[2];
if (!file) {
  console.error("usage: node check.mjs FILE");
  process.exit(2);
}
const document = JSON.parse(readFileSync(file, "utf8"));
const scratch = mkdtempSync(join(tmpdir(), "rabita-openapi-"));
let failed = false;
try {
  await validate();
  lint();
  typed();
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
if (failed) process.exit(1);
console.log(`clean: ${operations().length} operations in ${Object.keys(document.paths).length} paths`);

async function validate() {
  const { Validator } = await import("@seriousme/openapi-schema-validator");
  const result = await new Validator().validate(structuredClone(document));
  if (!result.valid) complain("meta-schema", JSON.stringify(result.errors, null, 2));
}

function lint() {
  run("redocly", "@redocly/cli/bin/cli.js", ["lint", resolve(file), "--config", join(home, "redocly.yaml"), "--format", "json"], (out) => {
    const { totals, problems } = JSON.parse(out.slice(out.indexOf("{")));
    if (totals.errors + totals.warnings === 0) return null;
    return problems.map((p) => `${p.ruleId}: ${p.message} ${p.location?.map((l) => l.pointer).join(" ")}`).join("\n");
  });
}

function typed() {
  run("openapi-typescript", "openapi-typescript/bin/cli.js", [resolve(file), "-o", join(scratch, "schema.d.ts")]);
  writeFileSync(join(scratch, "calls.ts"), program());
  copyFileSync(join(home, "client.ts"), join(scratch, "client.ts"));
  copyFileSync(join(home, "tsconfig.json"), join(scratch, "tsconfig.json"));
  writeFileSync(join(scratch, "package.json"), '{ "type": "module" }');
  symlinkSync(join(home, "node_modules"), join(scratch, "node_modules"));
  run("tsc --strict", "typescript/bin/tsc", ["-p", scratch]);
}

/** Runs a tool; `verdict` may find a complaint in the output of one that ended well. */
function run(name, script, args, verdict = () => null) {
  const environment = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
  const done = spawnSync(process.execPath, [join(home, "node_modules", script), ...args], { cwd: scratch, env: environment, encoding: "utf8" });
  if (done.error) return complain(name, String(done.error));
  let complaint = null;
  try {
    complaint = verdict(done.stdout);
  } catch {
    complaint = done.stdout + done.stderr;
  }
  if (complaint === null && done.status !== 0) complaint = done.stdout + done.stderr;
  if (complaint !== null) complain(name, complaint);
}

function complain(tool, text) {
  failed = true;
  console.error(`${tool}:\n${text}\n`);
}

function operations() {
  return Object.entries(document.paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ path, method, operation })));
}

/** A program that calls every operation once, and each form of a body once. */
function program() {
  const lines = operations().flatMap(({ path, method, operation }) => {
    const forms = bodies(operation);
    return (forms.length ? forms : [undefined]).map((body) => call(path, method, operation, body));
  });
  return `import type { Client } from "openapi-fetch";
import type { components, paths } from "./schema";
export async function calls(client: Client<paths>, verdict: (problem: components["schemas"]["Problem"]) => string): Promise<string[]> {
  const told: string[] = [];
${lines.join("\n")}
  return told;
}
`;
}

function call(path, method, operation, body) {
  const params = {};
  for (const parameter of (operation.parameters ?? []).map(resolved)) {
    (params[parameter.in] ??= {})[parameter.name] = parameter.example ?? sample(parameter.schema);
  }
  const options = { ...(Object.keys(params).length ? { params } : {}), ...(body === undefined ? {} : { body }) };
  return `  {
    const { data, error } = await client.${method.toUpperCase()}(${JSON.stringify(path)}, ${JSON.stringify(options)});
    if (error) told.push(verdict(error));
    else told.push(typeof data);
  }`;
}

function bodies(operation) {
  const content = operation.requestBody?.content ?? {};
  const schema = (content["application/json"] ?? Object.values(content)[0])?.schema;
  if (!schema) return [];
  return (schema.oneOf ?? [schema]).map((form) => sample(form));
}

function resolved(node) {
  let found = node;
  while (found && typeof found === "object" && "$ref" in found) {
    found = found.$ref.slice(2).split("/").reduce((place, token) => place?.[decodeURIComponent(token).replaceAll("~1", "/").replaceAll("~0", "~")], document);
  }
  if (found === undefined) throw new Error("a reference leads nowhere");
  return found;
}

/** A value of a schema's type. Patterns do not matter: the types do not know them. */
function sample(node, depth = 0) {
  const schema = resolved(node);
  if (schema.examples?.length) return schema.examples[0];
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  const branch = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (branch && !schema.properties) return sample(branch[0], depth + 1);
  const type = Array.isArray(schema.type) ? schema.type.find((name) => name !== "null") : schema.type;
  if (schema.properties || type === "object") {
    const wanted = Object.entries(schema.properties ?? {}).filter(([name]) => depth < DEPTH_MAX || schema.required?.includes(name));
    return Object.fromEntries(wanted.map(([name, member]) => [name, sample(member, depth + 1)]));
  }
  if (type === "array") return (schema.prefixItems ?? [schema.items ?? {}]).map((item) => sample(item, depth + 1));
  return { integer: schema.minimum ?? 1, number: schema.minimum ?? 1, boolean: true, null: null }[type] ?? "text";
}
