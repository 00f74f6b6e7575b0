// node bench/steps/steps.mjs run|summary|curve …
import { bundled } from '../../scripts/bundled.mjs';
import { root } from '../../scripts/setup.mjs';

const { main } = await bundled('bench/steps/main.ts');
process.exitCode = await main(process.argv.slice(2), root);
