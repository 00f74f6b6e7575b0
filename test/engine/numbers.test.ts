/**
 * The graphs' numbers against `transformers` reading the same GGUF files in fp32
 * (training/oracle/, replayed from test/fixtures/oracle/).
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { never, openSession } from './installed';

const MODELS = ['smollm2-135m', 'qwen2.5-coder-0.5b'] as const;

/** Between the two largest logits: the first token is e times as likely as the second. */
const SURE = 1;

const logitsGolden = z.object({
  sampleIds: z.array(z.int()),
  prompts: z.array(
    z.object({
      name: z.string(),
      ids: z.array(z.int()),
      rows: z.array(
        z.object({
          row: z.int(),
          logNormalizer: z.number(),
          top: z.object({ ids: z.array(z.int()), logits: z.array(z.number()) }),
          sample: z.array(z.number()),
        }),
      ),
    }),
  ),
});

const heldOutGolden = z.object({
  predicted: z.int(),
  perplexity: z.number(),
  windows: z.array(
    z.object({ ids: z.string(), logProbability: z.string(), top1: z.string(), gap: z.string() }),
  ),
});

for (const id of MODELS) {
  describe(`${id}: fp32 graph`, () => {
    it('has the logits of transformers within 1e-3 of their size', async () => {
      const golden = logitsGolden.parse(read(`${id}.logits.json`));
      const session = await openSession(id, 'fp32');
      for (const { name, ids, rows } of golden.prompts) {
        session.rewind(0);
        const wanted = new Map(rows.map((row) => [row.row, row]));
        let at = 0;
        for await (const logits of session.allLogits(ids)) {
          const row = wanted.get(at++);
          if (!row) continue;
          const expected = [...row.top.logits, ...row.sample];
          const size = Math.sqrt(sum(expected.map((x) => x * x)) / expected.length);
          [...row.top.ids, ...golden.sampleIds].forEach((token, i) => {
            const error = Math.abs((logits[token] ?? NaN) - (expected[i] ?? NaN)) / size;
            assert.ok(error <= 1e-3, `${name}, row ${row.row}, token ${token}: ${error}`);
          });
          assert.ok(Math.abs(logSumExp(logits) - row.logNormalizer) <= 1e-3 * size);
        }
        assert.equal(at, ids.length);
      }
      await session.close();
    });
  });

  describe(`${id}: int8 graph`, () => {
    it('keeps perplexity within 2 % and 96 % of the first choices on held-out code', async function () {
      const golden = heldOutGolden.parse(read(`${id}.heldout.json`));
      assert.ok(golden.predicted >= 4_000);
      const session = await openSession(id, 'int8');
      let [count, loss, referenceLoss, agreed] = [0, 0, 0, 0];
      for (const window of golden.windows) {
        const ids = int32(window.ids);
        const [reference, top1] = [float32(window.logProbability), int32(window.top1)];
        session.rewind(0);
        let at = 0;
        for await (const logits of session.allLogits([...ids.subarray(0, -1)])) {
          loss -= (logits[ids[at + 1] ?? -1] ?? NaN) - logSumExp(logits);
          referenceLoss -= reference[at] ?? NaN;
          if (argmax(logits) === top1[at]) agreed++;
          at++;
          count++;
        }
      }
      await session.close();
      assert.equal(count, golden.predicted);
      const ratio = Math.exp((loss - referenceLoss) / count);
      const agreement = agreed / count;
      console.log(
        `      perplexity ${Math.exp(loss / count).toFixed(3)}, ${((ratio - 1) * 100).toFixed(2)} % ` +
          `above fp32; first choice agrees for ${(100 * agreement).toFixed(2)} % of ${count} tokens`,
      );
      assert.ok(ratio <= 1.02, `perplexity is ${ratio} times the reference's`);
      assert.ok(agreement >= 0.96, `only ${agreement} of the first choices agree`);
    });
  });

  describe(`${id}: what leaves the graph`, () => {
    it('is the top of all logits, largest first, with their normaliser', async () => {
      const session = await openSession(id, 'int8');
      const tokens = [5, 700, 31, 8, 9000];
      const all: Float32Array[] = [];
      for await (const logits of session.allLogits(tokens)) all.push(logits.slice());
      session.rewind(0);
      const predictions = await session.step(tokens, never);
      predictions.forEach((prediction, row) => {
        const logits = all[row] ?? new Float32Array();
        const best = Array.from(logits)
          .sort((a, b) => b - a)
          .slice(0, prediction.ids.length);
        assert.deepEqual([...prediction.logits], best);
        prediction.ids.forEach((token, i) => assert.equal(logits[token], prediction.logits[i]));
        assert.ok(Math.abs(prediction.logNormalizer - logSumExp(logits)) < 3e-5);
      });
      await session.close();
    });
  });
}

describe('qwen2.5-coder-1.5b: int8 graph', () => {
  // Its fp32 weights take 7 GB, so it is compared with the reference in its choices alone.
  it('chooses as transformers does wherever that is sure', async () => {
    const golden = logitsGolden.parse(read('qwen2.5-coder-1.5b.logits.json'));
    const session = await openSession('qwen2.5-coder-1.5b', 'int8');
    let sure = 0;
    for (const { name, ids, rows } of golden.prompts) {
      session.rewind(0);
      const wanted = new Map(rows.map((row) => [row.row, row.top]));
      let at = 0;
      for await (const logits of session.allLogits(ids)) {
        const top = wanted.get(at++);
        const [first = 0, second = 0] = top?.logits ?? [];
        // The first row has no context, and the largest activations of all.
        if (!top || at === 1 || first - second < SURE) continue;
        assert.equal(argmax(logits), top.ids[0], `${name}, row ${at - 1}`);
        sure++;
      }
    }
    await session.close();
    assert.ok(sure >= 8, `only ${sure} rows are sure`);
  });
});

function read(name: string): unknown {
  const path = join(process.cwd(), 'test', 'fixtures', 'oracle', name);
  return JSON.parse(readFileSync(path, 'utf8'));
}

const bytes = (base64: string): ArrayBuffer => new Uint8Array(Buffer.from(base64, 'base64')).buffer;
const int32 = (base64: string): Int32Array => new Int32Array(bytes(base64));
const float32 = (base64: string): Float32Array => new Float32Array(bytes(base64));
const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    if ((values[i] ?? -Infinity) > (values[best] ?? -Infinity)) best = i;
  }
  return best;
}

function logSumExp(values: Float32Array): number {
  const most = values[argmax(values)] ?? 0;
  let total = 0;
  for (const value of values) total += Math.exp(value - most);
  return most + Math.log(total);
}
