/**
 * The fp16 graphs on the CPU provider, which computes their products in float32 and rounds what comes
 * out: as a GPU that sums in float32 does, in another order. Against the fp32 and the int8 graphs, and
 * by the question that a GPU is tried with.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Engine, modelFiles } from '../../src/engine/client';
import { HeadsSession } from '../../src/engine/heads';
import { probeModel } from '../../src/engine/probe-model';
import type { ProbeResult } from '../../src/engine/protocol';
import { difference, TOLERANCE } from '../../src/engine/provider';
import { TrunkSession } from '../../src/engine/session';
import { loadTokenizer } from '../../src/engine/tokenizer';
import type { Precision } from '../../src/models/paths';
import { installed, never } from './installed';

const ID = 'smollm2-135m';
const OPTIONS = { threads: 2, contextLength: 1024 };

async function answerOf(precision: Precision): Promise<ProbeResult> {
  const model = await installed(ID, precision);
  const { heads, tokenizer } = modelFiles(model, 'shared');
  assert.ok(heads);
  const stepper = await TrunkSession.open(model, { ...OPTIONS, keepStems: true });
  const proposer = await HeadsSession.open(heads.graph, heads, stepper, OPTIONS);
  const parts = { stepper, proposer, tokenizer: await loadTokenizer(tokenizer) };
  const answer = await probeModel(parts, never);
  await proposer.close();
  await stepper.close();
  return answer;
}

describe(`${ID}: fp16 graphs on the CPU`, function () {
  let answers: Readonly<Record<Precision, ProbeResult>>;
  before(async () => {
    answers = {
      fp32: await answerOf('fp32'),
      fp16: await answerOf('fp16'),
      int8: await answerOf('int8'),
    };
  });

  it('say what the fp32 graphs say, heads included', () => {
    const { same, distance } = difference(answers.fp32, answers.fp16);
    console.log(`      fp16 to fp32: ${100 * same} % of the first choices, ${distance.toFixed(4)}`);
    assert.equal(same, 1);
    assert.ok(distance < 0.01, String(distance));
    assert.ok(answers.fp16.rows.length > 40);
  });

  it('pass the test of a GPU against the int8 graphs, with room to spare', () => {
    const { same, distance } = difference(answers.int8, answers.fp16);
    console.log(`      fp16 to int8: ${100 * same} % of the first choices, ${distance.toFixed(4)}`);
    assert.ok(same > 1 - (1 - TOLERANCE.sameChoice) / 2, String(same));
    assert.ok(distance < TOLERANCE.meanDistance / 2, String(distance));
  });
});

describe('CUDA that cannot be loaded', () => {
  it('is told in one clear line, and the CPU does the work', async function () {
    if (existsSync('/proc/driver/nvidia/version')) this.skip(); // It could be.
    const notes: string[] = [];
    const engine = new Engine({
      worker: join(process.cwd(), 'dist', 'worker.js'),
      onFallback: (note) => notes.push(note),
    });
    try {
      const [half, int8] = [await installed(ID, 'fp16'), await installed(ID, 'int8')];
      const provider = { name: 'cuda', device: 0 } as const;
      const info = await engine.load(modelFiles(half), { provider }, modelFiles(int8));
      assert.deepEqual([info.provider?.name, info.precision], ['cpu', 'int8']);
      assert.equal(notes.length, 1);
      const why =
        process.platform === 'linux' && process.arch === 'x64'
          ? /^smollm2-135m goes on on the CPU, as CUDA, device 0 failed: The GPU \(CUDA, device 0\) cannot be used: CUDA 13 or its driver is missing, or too old\. See docs\/gpu\.md\.$/
          : /goes on on the CPU/;
      assert.match(notes[0] ?? '', why);
    } finally {
      await engine.dispose();
    }
  });
});
