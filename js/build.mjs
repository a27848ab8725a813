// Bundles the widget: `node build.mjs OUTDIR` writes OUTDIR/widget.js and OUTDIR/widget.css.
// Nothing of the machine (paths, times) goes into the output, because CI compares it byte by byte.
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const outdir = process.argv[2];
if (!outdir) throw new Error("usage: node build.mjs OUTDIR");

// uPlot's licence asks for its text in every copy; the bundler keeps only some comments.
const licence = readFileSync(resolve(here, "node_modules/uplot/LICENSE"), "utf8").trim();

await build({
  absWorkingDir: here,
  entryPoints: ["src/widget.js", "src/widget.css"],
  outdir: resolve(outdir),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2020",
  charset: "utf8",
  legalComments: "none",
  banner: { js: `/*! Contains uPlot.\n${licence} */` },
});
