// node bench/decision/decision.mjs
import { bundled } from '../../scripts/bundled.mjs';

const { main } = await bundled('bench/decision/decision.ts');
main();
