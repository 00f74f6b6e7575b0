import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProviderChoice } from '../../../src/engine/choose-provider';
import { chooseDefault, defaultIds, servingAdapters } from '../../../src/engine/default-model';
import { CPU, type Adapter, type ProviderWish } from '../../../src/engine/provider';
import { Verdicts } from '../../../src/engine/verdicts';
import { SCRIPTED_MODEL } from '../../fixtures/scripted-model';

const CATALOG = { default: 'small', gpuDefault: 'large' };
const CUDA: Adapter = { provider: { name: 'cuda', device: 0 }, driver: '580.1' };
const DIRECTML: Adapter = { provider: { name: 'dml', device: 0 }, driver: '31.0' };

type Where = 'gpu' | 'cpu';
const choiceOn = (where: Where): ProviderChoice => ({
  provider: where === 'gpu' ? { name: 'cuda', device: 0 } : CPU,
  model: SCRIPTED_MODEL,
  why: '',
});

describe('the model that is meant when none is named', () => {
  it('is the larger one where a GPU serves', () => {
    assert.deepEqual(defaultIds(CATALOG, [CUDA]), ['large', 'small']);
    assert.deepEqual(defaultIds(CATALOG, []), ['small']);
    assert.deepEqual(defaultIds({ default: 'small' }, [CUDA]), ['small']);
  });

  const serving: readonly [string, ProviderWish, Adapter, boolean | undefined, boolean][] = [
    ['untried, with the files of CUDA', { provider: 'auto' }, CUDA, undefined, true],
    ['untried, as Windows lists it', { provider: 'auto' }, DIRECTML, undefined, false],
    ['that passed', { provider: 'auto' }, DIRECTML, true, true],
    ['that no model passed on', { provider: 'auto' }, CUDA, false, false],
    ['that is asked for by name', { provider: 'dml' }, DIRECTML, undefined, true],
    ['of another provider than asked for', { provider: 'dml' }, CUDA, true, false],
    ['of another index than asked for', { provider: 'auto', device: 3 }, CUDA, true, false],
    ['that is not wanted', { provider: 'cpu' }, CUDA, true, false],
  ];
  for (const [which, wish, adapter, known, expected] of serving) {
    it(`${expected ? 'is served by' : 'is not served by'} a GPU ${which}`, async () => {
      const adapters = () => Promise.resolve({ found: [adapter], missing: '' });
      const found = await servingAdapters(wish, adapters, () => Promise.resolve(known));
      assert.deepEqual(found, expected ? [adapter] : []);
    });
  }

  it('knows of a GPU what verdicts say, for this driver alone', async () => {
    const home = await mkdtemp(join(tmpdir(), 'dynamo-serves-'));
    try {
      const verdicts = new Verdicts(home);
      assert.equal(await verdicts.serves(CUDA), undefined);
      const subject = {
        provider: 'cuda',
        device: 0,
        driver: '580.1',
        runtime: 'r',
        model: 'large',
      };
      await verdicts.remember(subject, { at: 1, failure: 'memory', why: 'too small' });
      assert.equal(await verdicts.serves(CUDA), false);
      await verdicts.remember({ ...subject, model: 'small' }, { at: 2, why: 'fast', stepMs: 3 });
      assert.equal(await verdicts.serves(CUDA), true);
      assert.equal(await verdicts.serves({ ...CUDA, driver: '580.10' }), undefined);
      assert.equal(await verdicts.serves(DIRECTML), undefined);
    } finally {
      await rm(home, { recursive: true });
    }
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
