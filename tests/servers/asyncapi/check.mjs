// node check.mjs FILE
//
// Holds an AsyncAPI document of the bus against the parser of the AsyncAPI initiative, which knows the meta-schema of
// version 3.0 and the recommended rules beside it. Exit status 0 when all is clean, 1 when not, 2 when called wrongly.
// Nothing is fetched.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const file = process.argv[2];
if (!file) {
  console.error("usage: node check.mjs FILE");
  process.exit(2);
}
const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
// 0 is an error, 1 a warning; what is below that is advice.
const complaints = diagnostics.filter(({ severity }) => severity <= 1);
for (const { code, message, path } of complaints) console.error(`${code}: ${message} /${path.join("/")}`);
if (!document || complaints.length > 0) process.exit(1);
console.log(`clean: ${document.operations().all().length} operations of ${document.channels().all().length} channels`);
