// Bundles the harness into out/ and runs it: node bench/infilling/infilling.mjs run|summary|compare …
import { build } from 'esbuild';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));
const bundle = join(folder, '../../out/infilling.cjs');
await build({
  entryPoints: [join(folder, 'main.ts')],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  logLevel: 'warning',
});
const { main } = createRequire(import.meta.url)(bundle);
process.exitCode = await main(process.argv.slice(2), folder);
