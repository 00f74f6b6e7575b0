// node bench/infilling/infilling.mjs run|summary|compare …
import { join } from 'node:path';
import { bundled } from '../../scripts/bundled.mjs';
import { root } from '../../scripts/setup.mjs';

const { main } = await bundled('bench/infilling/main.ts');
process.exitCode = await main(process.argv.slice(2), join(root, 'bench', 'infilling'));
