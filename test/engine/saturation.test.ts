import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { productsSaturate } from '../../src/engine/saturation';

describe('the probe of saturating products', () => {
  it('says what the processor is known to have', async function () {
    if (process.platform !== 'linux' || process.arch !== 'x64') return this.skip();
    const flags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? '';
    assert.equal(await productsSaturate(), !/ (avx512_vnni|avx_vnni)\b/.test(flags));
  });
});
