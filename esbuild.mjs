// Bundles the extension, the engine's child process and the command line into dist/.
import { build } from 'esbuild';
import { existsSync } from 'node:fs';

const entries = {
  extension: 'src/extension.ts',
  cli: 'src/cli.ts',
  worker: 'src/engine/worker.ts',
};

await build({
  entryPoints: Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(file))),
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  external: ['vscode', 'onnxruntime-node'],
  sourcemap: true,
  logLevel: 'warning',
});
