// Bundles the portal's browser files into ../static. Run by the build hook with the Node of a Python wheel.
import { build } from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const out = process.argv[2];

await build({
  entryPoints: ["portal.ts", "portal.css"],
  outdir: out,
  bundle: true,
  minify: true,
  target: ["es2022", "chrome112", "firefox121", "safari17"],
  legalComments: "eof",
  logLevel: "warning",
});

for (const name of ["icons.svg", "mark.svg"]) writeFileSync(`${out}/${name}`, readFileSync(name));
for (const name of ["portal.js", "portal.css", "icons.svg"]) {
  writeFileSync(`${out}/${name}.gz`, gzipSync(readFileSync(`${out}/${name}`), { level: 9 }));
}
