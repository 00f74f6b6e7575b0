import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseProvider, type ChoiceParts } from '../../../src/engine/choose-provider';
import { probe, PROBE_TIMING } from '../../../src/engine/probe';
import type { ModelFiles, Provider } from '../../../src/engine/protocol';
import { nameOf, type Adapter, type ProviderWish } from '../../../src/engine/provider';
import { acquireLock } from '../../../src/models/lock';
import { Verdicts } from '../../../src/engine/verdicts';
import { buildFixture, type BuiltFixture } from '../../fixtures/build';
import { SCRIPTED_MODEL } from '../../fixtures/scripted-model';

/** What a scripted GPU does is the name of its graph; see scripted-worker.ts. */
const onGpu = (order: string): ModelFiles => ({
  ...SCRIPTED_MODEL,
  precision: 'fp16',
  graph: order,
});

const HOUR_MS = 3_600_000;

/** Real processes, of a scripted engine. */
describe('the choice of a provider', function () {
  this.timeout(120_000);
  let worker: BuiltFixture;
  let home: string;
  let now: number;
  let probed: string[];

  before(() => (worker = buildFixture('test/fixtures/scripted-worker.ts')));
  after(() => worker.remove());
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'dynamo-choice-'));
    now = 1_000_000;
    probed = [];
  });
  afterEach(() => rmSync(home, { recursive: true }));

  interface Machine {
    /** What each GPU does. */
    readonly gpus?: readonly string[];
    readonly driver?: string;
    readonly runtime?: string;
    readonly installed?: boolean;
  }

  function choose(wish: Partial<ProviderWish>, machine: Machine = {}, onGpuProbe?: () => void) {
    const { gpus = [], driver = '550.54', runtime = '1.30.0', installed = true } = machine;
    const graphs = (provider: Provider, model: ModelFiles): ModelFiles =>
      provider.name === 'cpu' ? model : { ...model, graph: gpus[provider.device] ?? 'none' };
    const parts: ChoiceParts = {
      models: {
        cpu: SCRIPTED_MODEL,
        gpu: installed ? onGpu(gpus[0] ?? 'none') : { missing: 'its weights are not installed' },
      },
      adapters: () =>
        Promise.resolve({
          found: gpus.map((_, device): Adapter => ({ provider: { name: 'cuda', device }, driver })),
          missing: gpus.length === 0 ? 'there is no NVIDIA driver' : '',
        }),
      probe: (model, provider) => {
        probed.push(nameOf(provider));
        const files = graphs(provider, model);
        if (provider.name !== 'cpu') onGpuProbe?.();
        // Only what hangs for good is not to be waited for.
        const hang = files.graph === 'hang' ? 500 : 20_000;
        const timing = { ...PROBE_TIMING, start: 60_000, ping: 100, hang, shutdown: 100 };
        return probe({ worker: worker.path, timing }, files, { provider });
      },
      verdicts: new Verdicts(home),
      alone: async (work) => {
        const lock = await acquireLock(join(home, '.lock'), { pollMs: 20 });
        return await work().finally(() => lock.release());
      },
      subject: ({ provider, driver }, model) =>
        Promise.resolve({
          provider: provider.name,
          device: provider.device,
          driver,
          runtime,
          model: `${model.id} ${model.precision}`,
        }),
      now: () => now,
    };
    return chooseProvider({ provider: 'auto', ...wish }, parts);
  }

  it('is a GPU that computes the same and is faster', async () => {
    const choice = await choose({}, { gpus: ['fine'] });
    assert.deepEqual(choice.provider, { name: 'cuda', device: 0 });
    assert.equal(choice.model.precision, 'fp16');
    assert.equal(choice.fallback, SCRIPTED_MODEL);
    assert.equal(choice.why, '4.0 ms a step, 10.0 ms on the CPU.');
    assert.equal(choice.note, undefined);
    assert.deepEqual(probed, ['the CPU', 'CUDA, device 0']);
  });

  const failures: [order: string, why: RegExp][] = [
    ['crash', /failed a test: .*SIGSEGV/],
    ['hang', /failed a test: .*stopped answering/],
    ['dies at load', /failed a test: .*exit code 9/],
    ['fails at load', /failed a test: .*fell off the bus/],
    ['memory', /failed a test: .*no memory/],
    ['error', /failed a test: .*too old/],
    ['wrong numbers', /numbers are wrong: 0 % of its first choices/],
    ['no numbers', /numbers are wrong/],
    ['slow', /not faster: 11\.0 ms a step, 10\.0 ms on the CPU/],
  ];
  for (const [order, why] of failures) {
    it(`is the CPU when the GPU does this: ${order}; told once, and not tried again`, async () => {
      const choice = await choose({}, { gpus: [order] });
      assert.equal(choice.provider.name, 'cpu');
      assert.equal(choice.model, SCRIPTED_MODEL);
      assert.match(choice.why, why);
      assert.match(choice.note ?? '', /^The model runs on the CPU: CUDA, device 0: /);
      probed = [];
      const again = await choose({}, { gpus: [order] });
      assert.equal(again.provider.name, 'cpu');
      assert.match(again.why, why);
      assert.equal(again.note, undefined);
      assert.deepEqual(probed, []);
    });
  }

  it('is the fastest of several, whatever their order', async () => {
    const machine = { gpus: ['crash', 'fine', 'faster', 'slow'] };
    const choice = await choose({}, machine);
    assert.deepEqual(choice.provider, { name: 'cuda', device: 2 });
    assert.equal(probed.filter((name) => name === 'the CPU').length, 1, 'the CPU answers once');
    probed = [];
    assert.deepEqual((await choose({}, machine)).provider, { name: 'cuda', device: 2 });
    assert.deepEqual(probed, []);
    const named = await choose({ device: 1 }, machine);
    assert.deepEqual(named.provider, { name: 'cuda', device: 1 });
  });

  it('is the same in two windows that start together; one of them makes the test', async () => {
    const choices = await Promise.all([1, 2].map(() => choose({}, { gpus: ['fine'] })));
    for (const { provider, note } of choices) {
      assert.deepEqual(provider, { name: 'cuda', device: 0 });
      assert.equal(note, undefined);
    }
    assert.deepEqual(probed, ['the CPU', 'CUDA, device 0']);
  });

  it('is made anew for another driver or another runtime', async () => {
    await choose({}, { gpus: ['slow'] });
    for (const change of [{ driver: '551.00' }, { runtime: '1.31.0' }]) {
      probed = [];
      const choice = await choose({}, { gpus: ['fine'], ...change });
      assert.equal(choice.provider.name, 'cuda');
      assert.deepEqual(probed, ['the CPU', 'CUDA, device 0']);
    }
  });

  it('is made anew where memory was short, an hour later', async () => {
    await choose({}, { gpus: ['memory'] });
    now += HOUR_MS - 1;
    assert.equal((await choose({}, { gpus: ['fine'] })).provider.name, 'cpu');
    now += 1;
    assert.equal((await choose({}, { gpus: ['fine'] })).provider.name, 'cuda');
  });

  it('is the CPU for a day after the GPU was lost at work', async () => {
    const choice = await choose({}, { gpus: ['fine'] });
    await choice.lost?.('it fell off the bus');
    const next = await choose({}, { gpus: ['fine'] });
    assert.equal(next.provider.name, 'cpu');
    assert.match(next.why, /fell off the bus/);
    now += 24 * HOUR_MS;
    assert.equal((await choose({}, { gpus: ['fine'] })).provider.name, 'cuda');
  });

  it('survives a test that took the machine down: it is not begun again at once', async () => {
    let found: string | undefined;
    await choose(
      {},
      { gpus: ['fine'] },
      () => (found = readFileSync(join(home, 'providers.json'), 'utf8')),
    );
    // As it stood when the machine went down.
    writeFileSync(join(home, 'providers.json'), found ?? '');
    probed = [];
    const choice = await choose({}, { gpus: ['fine'] });
    assert.equal(choice.provider.name, 'cpu');
    assert.match(choice.why, /did not end/);
    assert.deepEqual(probed, []);
    now += HOUR_MS;
    assert.equal((await choose({}, { gpus: ['fine'] })).provider.name, 'cuda');
  });

  it('is the CPU without a test and without a word where there is nothing to choose', async () => {
    const none = await choose({}, { gpus: [] });
    assert.equal(none.why, 'there is no NVIDIA driver.');
    const missing = await choose({}, { gpus: ['fine'], installed: false });
    assert.match(missing.why, /its weights are not installed/);
    const asked = await choose({ provider: 'cpu' }, { gpus: ['fine'] });
    assert.equal(asked.why, 'the settings say so.');
    for (const choice of [none, missing, asked]) {
      assert.equal(choice.provider.name, 'cpu');
      assert.equal(choice.note, undefined);
    }
    assert.deepEqual(probed, []);
  });

  it('is what the user says, without a test, and says so where that cannot be', async () => {
    const choice = await choose({ provider: 'cuda' }, { gpus: ['slow'] });
    assert.deepEqual(choice.provider, { name: 'cuda', device: 0 });
    assert.equal(choice.fallback, SCRIPTED_MODEL);
    const other = await choose({ provider: 'dml' }, { gpus: ['fine'] });
    assert.equal(other.note, 'The model runs on the CPU: there is no such device.');
    assert.deepEqual(probed, []);
  });

  it('begins again where the file of verdicts is damaged', async () => {
    for (const content of ['{', '[]', '{"version":1,"verdicts":[{"subject":1}]}', '\u0000']) {
      writeFileSync(join(home, 'providers.json'), content);
      assert.equal((await choose({}, { gpus: ['fine'] })).provider.name, 'cuda');
    }
    assert.equal(probed.length, 8);
  });
});
