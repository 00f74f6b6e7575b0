// `npm start [-- FILE:LINE:COLUMN]`: from a fresh checkout to a completion at a cursor.
import { join } from 'node:path';
import { cli, root, run, setUp } from './setup.mjs';

const sample = `${join(root, 'examples', 'inventory.py')}:22:9`;
const args = process.argv.slice(2);
const target = args.length > 0 ? args : [sample];

setUp();
run(process.execPath, [cli, 'models', 'install', '--if-missing']);
run(process.execPath, [cli, 'complete', '--details', ...target], {
  cwd: process.env.INIT_CWD ?? process.cwd(),
});
