// `npm run bench:editor -- run|summary|leak|redraw …`: benches in a real VS Code; see bench/editor/.
import { join } from 'node:path';
import { bundle, bundled } from './bundled.mjs';
import { cli, root, run, setUp } from './setup.mjs';

const [name, ...args] = process.argv.slice(2);
setUp();
process.env.DYNAMO_HOME = join(root, '.cache', 'dynamo');
const models = name === 'redraw' ? [['smollm2-135m'], []] : [[]];
for (const model of models) {
  run(process.execPath, [cli, 'models', 'install', ...model, '--if-missing']);
}
if (name === 'redraw') {
  run(process.execPath, [await bundle('bench/editor/redraw.ts', 'redraw'), ...args]);
} else {
  for (const host of ['observer', 'leak-host']) await bundle(`bench/editor/${host}.ts`, host);
  const { main } = await bundled('bench/editor/main.ts');
  process.exitCode = await main(process.argv.slice(2), root);
}
