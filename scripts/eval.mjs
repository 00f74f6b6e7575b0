// `npm run eval [-- OPTIONS]`: the evidence, how fast at the same quality; see bench/eval/.
import { join } from 'node:path';
import { bundled } from './bundled.mjs';
import { cli, root, run, setUp } from './setup.mjs';

const args = process.argv.slice(2);
setUp();
const prepare = () => run(process.execPath, [cli, 'models', 'install', '--if-missing']);
const { main } = await bundled('bench/eval/main.ts');
process.exitCode = await main(args, root, prepare);
if (args[0] === 'report' && process.exitCode === 0 && !args.includes('--out')) {
  const prettier = join(root, 'node_modules', 'prettier', 'bin', 'prettier.cjs');
  run(process.execPath, [prettier, '--write', '--log-level=warn', join('bench', 'REPORT.md')]);
}
