// Bundles the command line and the engine's child process into dist/.
import { build } from 'esbuild';

await build({
  entryPoints: { cli: 'src/cli.ts', worker: 'src/engine/worker.ts' },
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  external: ['onnxruntime-node'],
  loader: { '.onnx': 'binary' },
  sourcemap: true,
  logLevel: 'warning',
});
