// Validates resources of prometheus-operator, one JSON object a line, against its schemas.
// The first argument is the folder in which they are installed, the second the file.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [tools, file] = process.argv.slice(2);
const installed = createRequire(`${tools}/`).resolve.paths("x")[0];
const models = await import(
  pathToFileURL(`${installed}/@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/index.js`)
);
let refused = 0;
for (const line of readFileSync(file, "utf8").split("\n").filter(Boolean)) {
  const resource = JSON.parse(line);
  try {
    new models[resource.kind](resource).validate();
  } catch (cause) {
    console.error(`${resource.kind} ${resource.metadata.name}: ${cause.message}`);
    refused += 1;
  }
}
process.exit(refused === 0 ? 0 : 1);
