// Bundles the bench into out/ and runs it: node bench/decision/decision.mjs
import { build } from 'esbuild';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const bundle = join(folder, '../../out/decision.cjs');
await build({
  entryPoints: [join(folder, 'decision.ts')],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  logLevel: 'warning',
});
createRequire(import.meta.url)(bundle).main();
