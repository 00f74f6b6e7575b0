// `npm run bench:editor [-- latency|redraw] [N]`: benches in a real VS Code; see bench/editor/README.md.
import { join } from 'node:path';
import { build } from 'esbuild';
import { cli, fail, root, run, setUp } from './setup.mjs';

const BENCHES = ['latency', 'redraw'];

const args = process.argv.slice(2);
const name = Number.isNaN(Number(args[0] ?? '0')) ? args.shift() : 'latency';
if (!BENCHES.includes(name)) fail(`There is no bench "${name}": ${BENCHES.join(' or ')}.`);
setUp();
const env = { ...process.env, DYNAMO_HOME: join(root, '.cache', 'dynamo') };
const models = name === 'redraw' ? [['smollm2-135m'], []] : [[]];
for (const model of models) {
  run(process.execPath, [cli, 'models', 'install', ...model, '--if-missing'], { env });
}
const outfile = join(root, 'out', 'bench', `editor-${name}.cjs`);
await build({
  absWorkingDir: root,
  entryPoints: [`bench/editor/${name}.ts`],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20',
  external: ['playwright-core', 'onnxruntime-node'],
  logLevel: 'error',
});
run(process.execPath, [outfile, ...args], { env });
