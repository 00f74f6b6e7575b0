// node bench/gpu/gpu.mjs run|summary …
import { bundled } from '../../scripts/bundled.mjs';
import { root } from '../../scripts/setup.mjs';

const { main } = await bundled('bench/gpu/main.ts');
process.exitCode = await main(process.argv.slice(2), root);
