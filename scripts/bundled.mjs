/** How benches, fuzzer and soak test run: a TypeScript entry is bundled into out/ and loaded. */
import { build } from 'esbuild';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { root } from './setup.mjs';

/** What a program exports, given its entry's path from the checkout's root. */
export async function bundled(entry) {
  return createRequire(import.meta.url)(await bundle(entry));
}

/** Bundles a program; returns the path of what came of it. */
export async function bundle(entry, name = basename(dirname(entry))) {
  const outfile = join(root, 'out', `${name}.cjs`);
  await build({
    absWorkingDir: root,
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    loader: { '.onnx': 'binary' },
    external: ['onnxruntime-node', 'playwright-core', 'vscode'],
    logLevel: 'warning',
  });
  return outfile;
}
