import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { ProviderChoice } from '../../../src/engine/choose-provider';
import { chooseDefault, defaultIds } from '../../../src/engine/default-model';
import { CPU, type Adapters } from '../../../src/engine/provider';
import { SCRIPTED_MODEL } from '../../fixtures/scripted-model';

const CATALOG = { default: 'small', gpuDefault: 'large' };
const NONE: Adapters = { found: [], missing: 'there is no NVIDIA driver' };
const ONE: Adapters = {
  found: [{ provider: { name: 'cuda', device: 0 }, driver: '580.1' }],
  missing: '',
};

type Where = 'gpu' | 'cpu';
const choiceOn = (where: Where): ProviderChoice => ({
  provider: where === 'gpu' ? { name: 'cuda', device: 0 } : CPU,
  model: SCRIPTED_MODEL,
  why: '',
});

describe('the model that is meant when none is named', () => {
  it('is the larger one where there is a GPU that may be used', async () => {
    const ids = (wish: Parameters<typeof defaultIds>[1], adapters: Adapters) =>
      defaultIds(CATALOG, wish, () => Promise.resolve(adapters));
    assert.deepEqual(await ids({ provider: 'auto' }, ONE), ['large', 'small']);
    assert.deepEqual(await ids({ provider: 'cuda', device: 0 }, ONE), ['large', 'small']);
    assert.deepEqual(await ids({ provider: 'auto' }, NONE), ['small']);
    assert.deepEqual(await ids({ provider: 'auto', device: 3 }, ONE), ['small']);
    assert.deepEqual(await ids({ provider: 'dml' }, ONE), ['small']);
  });

  it('is the small one without a look at the GPUs where they are not wanted', async () => {
    const adapters = () => assert.fail('asked for GPUs');
    assert.deepEqual(await defaultIds(CATALOG, { provider: 'cpu' }, adapters), ['small']);
    assert.deepEqual(await defaultIds({ default: 'small' }, { provider: 'auto' }, adapters), [
      'small',
    ]);
  });

  const cases: readonly [string, Partial<Record<string, Where>>, string, Where | undefined][] = [
    ['the large one runs on the GPU', { large: 'gpu', small: 'gpu' }, 'large', 'gpu'],
    ['the large one would run on the CPU', { large: 'cpu', small: 'cpu' }, 'small', 'cpu'],
    ['only the small one passes the test', { large: 'cpu', small: 'gpu' }, 'small', 'gpu'],
    ['only the small one is installed', { small: 'cpu' }, 'small', 'cpu'],
    ['only the large one is installed, and left for the CPU', { large: 'cpu' }, 'large', 'cpu'],
    ['none is installed', {}, 'large', undefined],
  ];
  for (const [when, installed, id, where] of cases) {
    it(`is ${id} when ${when}`, async () => {
      const asked: string[] = [];
      const found = await chooseDefault(['large', 'small'], (each) => {
        asked.push(each);
        const on = installed[each];
        return Promise.resolve(on && choiceOn(on));
      });
      assert.equal(found.id, id);
      assert.equal(found.choice?.provider.name, where === 'gpu' ? 'cuda' : where);
      // A GPU is not tried with a second model when it runs the first.
      assert.deepEqual(asked, installed['large'] === 'gpu' ? ['large'] : ['large', 'small']);
    });
  }

  it('of the suite is the 1.5B on a GPU', async () => {
    const catalog = JSON.parse(await readFile('models/catalog.json', 'utf8')) as typeof CATALOG;
    assert.equal(catalog.gpuDefault, 'qwen2.5-coder-1.5b');
    assert.equal(catalog.default, 'qwen2.5-coder-0.5b');
  });
});
