// node test/soak/soak.mjs [--kills 1000] [--seed 1]
import { bundled } from '../../scripts/bundled.mjs';
import { root } from '../../scripts/setup.mjs';

const { main } = await bundled('test/soak/main.ts');
process.exitCode = await main(process.argv.slice(2), root);
