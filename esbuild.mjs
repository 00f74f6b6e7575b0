// Bundles extension, command line, engine process and threshold view into dist/.
import { build } from 'esbuild';

const common = {
  outdir: 'dist',
  bundle: true,
  format: 'cjs',
  sourcemap: true,
  logLevel: 'warning',
};

await build({
  ...common,
  entryPoints: { cli: 'src/cli.ts', worker: 'src/engine/worker.ts' },
  platform: 'node',
  target: 'node20',
  external: ['onnxruntime-node'],
  loader: { '.onnx': 'binary' },
});

// What the editor loads at activation; small, so that it is read in no time.
await build({
  ...common,
  entryPoints: { extension: 'src/extension.ts' },
  platform: 'node',
  target: 'node20',
  external: ['vscode'],
  minify: true,
  keepNames: true,
});

// For editors in a browser, where there are no processes: says so.
await build({
  ...common,
  entryPoints: { web: 'src/web.ts' },
  platform: 'browser',
  target: 'es2022',
  external: ['vscode'],
  minify: true,
});

// The threshold view's page.
await build({
  ...common,
  entryPoints: { thresholds: 'media/thresholds/main.ts' },
  platform: 'browser',
  format: 'iife',
  target: 'chrome120',
  minify: true,
});
