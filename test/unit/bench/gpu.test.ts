import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  keyOf,
  openResults,
  parseResults,
  type Row,
  type RunHeader,
} from '../../../bench/gpu/results';
import { runGpu, QUICK, type GpuRun } from '../../../bench/gpu/run';
import { describe as words, figuresOf } from '../../../bench/gpu/summary';
import { appendRow } from '../../../bench/results-file';

const HEADER: RunHeader = {
  ...{ kind: 'gpu-run', version: 1, provider: 'cuda', device: 0, quick: false },
  deviceName: 'A card, driver 580.1',
  environment: {
    ...{ processor: 'p', cores: 8, memoryGigabytes: 32, system: 's', node: '20' },
    ...{ onnxruntime: '1.30.0', version: '0', commit: null },
  },
};

const outcome = (steps: number[], decodeMs: number, text = 'text') => ({
  ...{ text, tokens: steps.reduce((a, b) => a + b), stopReason: 'end', steps },
  ...{ drafts: [], prefillMs: 1, decodeMs },
});

const text = (side: 'gpu' | 'cpu', id: string, said: string): Row => ({
  ...{ part: 'text', model: 'm', side, precision: side === 'gpu' ? 'fp16' : 'fp32', id },
  ...{ text: said, tokens: 3 },
});

const speed = (side: 'gpu' | 'cpu', context: number): Row => ({
  ...{ part: 'speed', model: 'm', side, precision: side === 'gpu' ? 'fp16' : 'int8', context },
  ...{ loadMs: 1, prefillMs: 0.25, stepMs: [1, 2] },
  memory: { resident: 500, device: side === 'gpu' ? 1234 : null },
});

function results(rows: readonly Row[]) {
  const lines = [HEADER, ...rows].map((each) => `${JSON.stringify(each)}\n`);
  return parseResults(lines.join(''), 'file');
}

describe('the GPU bench', () => {
  it('compares texts by task, and says whether enough are the same', () => {
    const rows = Array.from({ length: 100 }, (_, i) => [
      text('gpu', `t${i}`, i < 5 ? 'another' : 'same'),
      text('cpu', `t${i}`, 'same'),
    ]).flat();
    const [figures] = figuresOf(results([...rows, text('gpu', 'alone', 'x')]));
    assert.deepEqual(
      [figures?.texts.compared, figures?.texts.same, figures?.texts.met],
      [100, 95, true],
    );
    const worse = figuresOf(results([...rows, text('gpu', 't9', 'another')]))[0]?.texts;
    assert.deepEqual([worse?.same, worse?.met], [94, false]);
    assert.equal(figuresOf(results([text('gpu', 'alone', 'x')]))[0]?.texts.met, undefined);
  });

  it('holds modes against plain decoding on the device', () => {
    const modes = { ar: outcome([1, 1, 1, 1, 1], 40), exact: outcome([1, 2, 2], 20) };
    const row = (id: string): Row => ({ part: 'modes', model: 'm', id, modes });
    const [figures] = figuresOf(results([row('a'), row('b')]));
    const exact = figures?.modes.find(({ mode }) => mode === 'exact');
    assert.equal(exact?.speedUp, 2);
    assert.equal(exact.same, 2);
    assert.equal(figures?.places, 2);
  });

  it('puts device, CPU and PyTorch of one context side by side, in words too', () => {
    const peer: Row = {
      ...{ part: 'peer', model: 'm', context: 128, prefillMs: 0.1, stepMs: [3] },
      ...{ torch: '2, A card', memory: null },
    };
    const all = results([speed('gpu', 1024), peer, speed('gpu', 128), speed('cpu', 128)]);
    const figures = figuresOf(all);
    assert.deepEqual(
      figures[0]?.speeds.map(({ context, gpu, cpu, peer: own }) => [context, !!gpu, !!cpu, !!own]),
      [
        [128, true, true, true],
        [1024, true, false, false],
      ],
    );
    const said = words(all, figures);
    assert.match(said, /^cuda, device 0 \(A card, driver 580\.1\)$/m);
    assert.match(said, /fp16 +1\.00 2\.00; 0\.250; 500 MB resident, 1234 MB on the device/);
    assert.match(said, /PyTorch +3\.00/);
  });

  it('tells what context adds to a step, beside PyTorch', () => {
    const at = (context: number, ms: number): Row[] => [
      { ...speed('gpu', context), stepMs: [ms, 9] } as Row,
      {
        ...{ part: 'peer', model: 'm', context, prefillMs: 0.1, stepMs: [5, 9] },
        ...{ torch: '2, A card', memory: null },
      },
    ];
    const all = results([...at(3072, 9), ...at(1024, 4), ...at(128, 3.11)]);
    const [figures] = figuresOf(all);
    assert.ok(Math.abs((figures?.contextCost.gpu ?? NaN) - 2) < 0.01);
    assert.equal(figures?.contextCost.peer, 0);
    assert.match(
      words(all, figuresOf(all)),
      /go to the device: 2\.00 ms a step \(PyTorch.*: 0\.00\)/,
    );
    assert.deepEqual(figuresOf(results([speed('gpu', 128)]))[0]?.contextCost, {});
  });

  describe('goes on', () => {
    let folder: string;
    beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'dynamo-gpu-bench-'))));
    afterEach(() => rm(folder, { recursive: true }));

    it('where it stood, on the same device alone', async () => {
      const out = join(folder, 'out.jsonl');
      assert.equal((await openResults(out, HEADER)).size, 0);
      await appendRow(out, speed('gpu', 128));
      const there = await openResults(out, HEADER);
      assert.deepEqual([...there.keys()], [keyOf(speed('gpu', 128))]);
      await assert.rejects(
        openResults(out, { ...HEADER, deviceName: 'Another' }),
        /deviceName .*"Another"/,
      );
    });

    it('with nothing when all is there or the time is up, and asks for what is not installed', async () => {
      const run: GpuRun = {
        ...{ root: process.cwd(), out: join(folder, 'none.jsonl'), models: ['smollm2-135m'] },
        provider: { name: 'cpu', device: 0 },
        plan: QUICK,
        parts: ['speed'],
        python: undefined,
        until: Infinity,
        there: new Map(
          (['gpu', 'cpu'] as const).flatMap((side) =>
            QUICK.contexts.map((context) => {
              const row = { ...speed(side, context), model: 'smollm2-135m' };
              return [keyOf(row), row] as const;
            }),
          ),
        ),
        tell: () => assert.fail('something was measured'),
      };
      assert.equal(await runGpu(run), true);
      assert.equal(await runGpu({ ...run, until: -Infinity }), false);
      const home = process.env['DYNAMO_HOME'];
      process.env['DYNAMO_HOME'] = folder;
      try {
        await assert.rejects(runGpu({ ...run, there: new Map() }), /models install smollm2-135m/);
      } finally {
        if (home === undefined) delete process.env['DYNAMO_HOME'];
        else process.env['DYNAMO_HOME'] = home;
      }
    });
  });
});
