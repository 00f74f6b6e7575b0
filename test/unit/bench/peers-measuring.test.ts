import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadBoth, prepare, type Comparison, type Sides } from '../../../bench/peers/comparison';
import { checkLoaded, type Loaded } from '../../../bench/peers/loaded';
import { main } from '../../../bench/peers/main';
import { isRound, openResults, readResults } from '../../../bench/peers/results';
import { measureModel, type Plan } from '../../../bench/peers/rounds';
import { measureOwn, type Side } from '../../../bench/peers/sides';
import { summaries } from '../../../bench/peers/summary';
import { appendRow } from '../../../bench/results-file';
import type { ThresholdCurve } from '../../../src/models/threshold-curve';
import { tinyId, TinyModel } from '../../fixtures/tiny-model';
import { HEADER, inFolder, LOADED, loadRow, row } from './peers-rows';

describe('what both sides loaded', () => {
  const there = [{ model: 'm', peer: 'same', loaded: { ...LOADED, draftSha256: 'd' } }];
  const check = (wanted: Loaded, { model = 'm', peer = 'same' } = {}) =>
    checkLoaded('peers.jsonl', there, { model, peer, loaded: wanted });
  const model = (more: Partial<Loaded['model']>): Loaded => ({
    ...LOADED,
    model: { ...LOADED.model, ...more },
  });

  for (const [what, loaded] of [
    ['the same', LOADED],
    ['the same with its draft model', { ...LOADED, draftSha256: 'd' }],
  ] as const) {
    it(`goes on as ${what}`, () => assert.doesNotThrow(() => check(loaded)));
  }

  for (const [what, loaded] of [
    ['other heads', model({ headsSha256: 'other' })],
    ['another trunk', model({ trunkSha256: 'other' })],
    ['other default rows', model({ rows: 2 })],
    ['another file of the same name', { ...LOADED, peerSha256: 'other' }],
    ['another draft model', { ...LOADED, draftSha256: 'other' }],
  ] as const) {
    it(`is refused as ${what}`, () =>
      assert.throws(() => check(loaded), /peers\.jsonl.*choose another --out/));
  }

  it('is compared with our model beside every file of the peer’s, with its files by name', () => {
    assert.doesNotThrow(() => check({ ...LOADED, peerSha256: 'q' }, { peer: 'q4_0.gguf' }));
    assert.throws(() => check(model({ headsSha256: 'x' }), { peer: 'q4_0.gguf' }));
    assert.doesNotThrow(() => check(model({ headsSha256: 'x' }), { model: 'another' }));
  });

  it('is refused where older rows do not tell it', () =>
    assert.throws(
      () =>
        checkLoaded('peers.jsonl', [{ model: 'm', peer: 'same' }], {
          ...{ model: 'm', peer: 'same', loaded: LOADED },
        }),
      /choose another --out/,
    ));
});

describe('what is prepared', function () {
  this.timeout(30_000);
  const before = process.env['DYNAMO_HOME'];
  let tiny: TinyModel;
  beforeEach(async () => {
    tiny = await TinyModel.create();
    await tiny.writeHeads();
    await symlink(tiny.suite, join(tiny.root, 'models'));
    process.env['DYNAMO_HOME'] = tiny.home;
  });
  afterEach(async () => {
    if (before === undefined) delete process.env['DYNAMO_HOME'];
    else process.env['DYNAMO_HOME'] = before;
    await tiny.dispose();
  });

  const prepared = (more: Partial<Comparison> = {}) =>
    prepare(
      {
        ...{ folder: join(tiny.root, 'bench/peers'), out: '', models: [tinyId], threads: 1 },
        ...{ files: new Map([[tinyId, tiny.file]]), quick: false, until: Infinity },
        ...{ peerFile: undefined, draftFile: undefined, ...more },
      },
      tinyId,
    );

  it('has the defaults that the product has for these heads, and says so', async () => {
    const { subject: old } = await prepared();
    const headsSha256 = old.loaded.model.headsSha256 ?? '';
    assert.equal(old.loaded.model.rows, undefined);
    const curve: ThresholdCurve = {
      ...{ kind: 'threshold-curve', version: 2, model: tinyId, heads: 'shared', headsSha256 },
      ...{ precision: 'int8', tasks: 60, kinds: ['line'], threads: 2, results: 'line.jsonl' },
      curve: [{ epsilon: 1, tokensPerStep: 1, speedup: 1, agreement: 1 }],
      calibrated: { epsilon: 0.75, rows: 3, tasks: 60, kinds: ['own'], results: 'own.jsonl' },
    };
    await writeFile(join(tiny.suite, tinyId, 'thresholds.json'), JSON.stringify(curve));
    const { model, subject } = await prepared();
    assert.deepEqual(model.defaults, { epsilon: 0.75, rows: 3 });
    assert.deepEqual(subject.loaded.model, { ...old.loaded.model, rows: 3 });
  });

  it('names the peer’s files by their content', async () => {
    const { subject: same } = await prepared();
    assert.deepEqual([same.peer, same.loaded.peerSha256], ['same', tiny.sha256]);
    const other = join(tiny.root, 'other.gguf');
    await writeFile(other, 'other');
    const sha256 = createHash('sha256').update('other').digest('hex');
    const { subject } = await prepared({ peerFile: other, draftFile: other });
    const { peerSha256, draftSha256 } = subject.loaded;
    assert.deepEqual([subject.peer, peerSha256, draftSha256], ['other.gguf', sha256, sha256]);
  });
});

describe('our side', () => {
  it('measures every step by itself, and the prefill in front of the first alone', async () => {
    const asked: object[] = [];
    const engine: Parameters<typeof measureOwn>[0] = {
      measure(request) {
        const call = asked.push(request);
        return Promise.resolve({
          ...{ kind: 'measure', context: request.context, prefillMs: call },
          stepMs: [10 * call, 0, 30 * call],
        });
      },
    };
    assert.deepEqual(await measureOwn(engine, 128, 3), {
      ...{ prefillMs: 1, stepMs: [10, 20, 30], threeRowsMs: [30, 60, 90] },
    });
    assert.deepEqual(asked, Array(3).fill({ rows: 3, context: 128, repeats: 1 }));
  });
});

describe('a measurement of both sides', () => {
  const said: string[] = [];
  beforeEach(() => void (said.length = 0));

  const fake = (name: string): Side => ({
    name,
    load: () => (said.push(`${name} loads`), Promise.resolve(1000)),
    measure(context, repeats) {
      said.push(`${name} at ${context}`);
      return Promise.resolve({ prefillMs: 1, stepMs: Array<number>(repeats).fill(10) });
    },
    complete: () => assert.fail('no completion was asked for'),
    memory: () => ({ resident: 500e6, peak: 600e6 }),
    close: () => Promise.resolve(),
  });

  async function open(first: 'ours' | 'theirs'): Promise<Sides> {
    const [ours, theirs] = [fake('ours'), fake('theirs')];
    const loadMs = await loadBoth(ours, theirs, first);
    return { ours, theirs, loadMs, close: () => Promise.resolve(void said.push('closed')) };
  }

  const PLAN: Plan = { loads: 3, contexts: [{ context: 128, rounds: 2, steps: 5 }] };
  const subject = { model: 'm', peer: 'same', loaded: LOADED };
  const measure = async (path: string, until = Infinity) => {
    const done = await openResults(path, HEADER);
    return await measureModel(subject, { out: path, done, plan: PLAN, until }, open);
  };

  it('loads each process once, in turn, and measures in turn in the last one', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'peers.jsonl');
      assert.equal(await measure(path), true);
      assert.deepEqual(said, [
        ...['ours loads', 'theirs loads', 'closed'],
        ...['theirs loads', 'ours loads', 'closed'],
        ...['ours loads', 'theirs loads'],
        ...['ours at 128', 'theirs at 128', 'theirs at 128', 'ours at 128', 'closed'],
      ]);
      const rows = [...(await readResults(path)).rows.values()];
      assert.equal(rows.length, 5);
      assert.deepEqual(
        rows.flatMap((each) => (isRound(each) ? [] : [each.first])),
        ['ours', 'theirs', 'ours'],
      );
      assert.equal(summaries(rows)[0]?.lines.find(({ what }) => what === 'loading')?.ratio, 1);
      for (const each of rows.filter(isRound)) {
        assert.deepEqual([each.ours.stepMs.length, each.theirs.stepMs.length], [5, 5]);
        assert.equal('loadMs' in each.ours, false);
      }
    }));

  it('opens nothing once all is there, and goes on with the turn where it stood', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'peers.jsonl');
      await openResults(path, HEADER);
      for (const load of [0, 1, 2]) await appendRow(path, loadRow(load, 1, 1));
      await appendRow(path, row(128, 0));
      await measure(path);
      // The rounds that are missing need a process, whose loading is one more.
      assert.deepEqual(said, [
        ...['theirs loads', 'ours loads', 'theirs at 128', 'ours at 128', 'closed'],
      ]);
      said.length = 0;
      assert.equal(await measure(path), true);
      assert.deepEqual(said, []);
    }));

  it('has a draft model with whole completions alone', async () => {
    const write = process.stderr.write.bind(process.stderr);
    process.stderr.write = (text: string | Uint8Array) => said.push(String(text)) > 0;
    try {
      assert.equal(await main(['--model', 'm', '--draft-gguf', 'd.gguf'], 'bench/peers'), 2);
    } finally {
      process.stderr.write = write;
    }
    assert.match(said.join(''), /--draft-gguf needs --completions/);
  });

  it('begins nothing after its time', () =>
    inFolder(async (folder) => {
      assert.equal(await measure(join(folder, 'peers.jsonl'), -1), false);
      assert.deepEqual(said, []);
    }));
});
