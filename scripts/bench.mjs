// `npm run bench [-- OPTIONS]`: speeds of the default model (or --model ID, once installed).
import { cli, run, setUp } from './setup.mjs';

setUp();
run(process.execPath, [cli, 'models', 'install', '--if-missing']);
run(process.execPath, [cli, 'bench', ...process.argv.slice(2)]);
