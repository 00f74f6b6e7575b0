// `npm run bench [-- OPTIONS]`: speeds of the default model (or --model ID, once installed).
// `npm run bench -- --peers [OPTIONS]`: beside llama.cpp on the same file; see bench/peers/.
import { join } from 'node:path';
import { cli, root, run, setUp } from './setup.mjs';

const args = process.argv.slice(2);
setUp();
if (args.includes('--peers')) {
  const others = args.filter((arg) => arg !== '--peers');
  run(process.execPath, [join(root, 'bench', 'peers', 'peers.mjs'), ...others]);
} else {
  run(process.execPath, [cli, 'models', 'install', '--if-missing']);
  run(process.execPath, [cli, 'bench', ...args]);
}
