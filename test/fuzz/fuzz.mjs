// node test/fuzz/fuzz.mjs [--inputs 10000] [--seed 1]
import { bundled } from '../../scripts/bundled.mjs';
import { root } from '../../scripts/setup.mjs';

const { main } = await bundled('test/fuzz/main.ts');
process.exitCode = await main(process.argv.slice(2), root);
