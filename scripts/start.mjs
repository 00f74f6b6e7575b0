// `npm start [-- [OPTIONS] FILE:LINE:COLUMN]`: from a fresh checkout to a completion at a cursor.
import { join } from 'node:path';
import { cli, root, run, setUp } from './setup.mjs';

const args = process.argv.slice(2);
if (!args.some((arg) => /:\d+:\d+$/.test(arg))) {
  args.push(`${join(root, 'examples', 'inventory.py')}:22:9`);
}
const model = args.includes('--model') ? [args[args.indexOf('--model') + 1] ?? ''] : [];

setUp();
run(process.execPath, [cli, 'models', 'install', '--if-missing', ...model]);
run(process.execPath, [cli, 'complete', '--details', ...args], {
  cwd: process.env.INIT_CWD ?? process.cwd(),
});
