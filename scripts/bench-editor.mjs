// `npm run bench:editor [-- REPEATS]`: key to grey text in a real VS Code; see bench/editor/latency.ts.
import { join } from 'node:path';
import { build } from 'esbuild';
import { cli, root, run, setUp } from './setup.mjs';

setUp();
const env = { ...process.env, DYNAMO_HOME: join(root, '.cache', 'dynamo') };
run(process.execPath, [cli, 'models', 'install', '--if-missing'], { env });
const outfile = join(root, 'out', 'bench', 'editor-latency.cjs');
await build({
  absWorkingDir: root,
  entryPoints: ['bench/editor/latency.ts'],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20',
  external: ['playwright-core'],
  logLevel: 'error',
});
run(process.execPath, [outfile, ...process.argv.slice(2)], { env });
