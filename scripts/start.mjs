// `npm start [-- [OPTIONS] FILE:LINE:COLUMN]`: from a fresh checkout to a completion at a cursor.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { cli, root, run, setUp } from './setup.mjs';

const args = process.argv.slice(2);
const text = { type: 'string' };
const options = {
  model: text,
  precision: text,
  mode: text,
  epsilon: text,
  heads: text,
  threads: text,
};
const { values, positionals } = parseArgs({
  args,
  options: { ...options, 'max-tokens': text },
  allowPositionals: true,
  strict: false, // The command line itself says what is wrong.
});
if (positionals.length === 0) args.push(`${join(root, 'examples', 'inventory.py')}:22:9`);
const install = ['models', 'install', '--if-missing'];
if (values.precision) install.push('--precision', String(values.precision));
if (values.model) install.push(String(values.model));

setUp();
run(process.execPath, [cli, ...install]);
run(process.execPath, [cli, 'complete', '--details', ...args], {
  cwd: process.env.INIT_CWD ?? process.cwd(),
});
