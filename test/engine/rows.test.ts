/**
 * Invariant: a row's numbers do not depend on which other rows share its step. Bit for bit, because
 * exact mode compares a choice made among several rows with the one made alone.
 */
import assert from 'node:assert/strict';
import type { RowPrediction } from '../../src/decoding/stepper';
import { BLOCK } from '../../src/engine/kv';
import type { TrunkSession } from '../../src/engine/session';
import { never, openSession } from './installed';

/** Long enough to cross a block border. */
const LENGTH = BLOCK + 40;
const TOKENS = Array.from({ length: LENGTH }, (_, i) => (i * 7919 + 13) % 40_000);

/**
 * Tokens without meaning in a row of their own kind are what drives activations to their extremes:
 * the first position's, repeated ones and control tokens.
 */
const EXTREME = Array.from({ length: LENGTH }, (_, i) => [0, 0, 1, 2, 198, 198, 198][i % 7] ?? 0);

describe('a row in the company of others', () => {
  for (const id of ['smollm2-135m', 'qwen2.5-coder-0.5b']) {
    describe(id, () => {
      let session: TrunkSession;
      before(async () => {
        session = await openSession(id, 'int8');
      });
      after(() => session.close());

      for (const [name, tokens] of [
        ['ordinary tokens', TOKENS],
        ['extreme activations', EXTREME],
      ] as const) {
        it(`gives the same bits as alone, with ${name}`, async () => {
          const alone = await predictions(session, tokens, 1);
          for (const width of [2, 3, 4, 5, 6, 7, 8]) {
            const together = await predictions(session, tokens, width);
            together.forEach((row, i) => assertSame(row, alone[i], `row ${i} of ${width} a step`));
          }
        });

        it(`gives the same bits after a prefill, with ${name}`, async () => {
          const alone = await predictions(session, tokens, 1);
          for (const length of [1, 2, 7, 8, 9, 64, BLOCK - 1, BLOCK, BLOCK + 1, LENGTH]) {
            session.rewind(0);
            const { last } = await session.prefill(tokens.slice(0, length), never);
            assertSame(last, alone[length - 1], `prefill of ${length}`);
          }
        });
      }
    });
  }
});

/** Feeds all tokens from an empty cache, `width` rows a step. */
async function predictions(
  session: TrunkSession,
  tokens: readonly number[],
  width: number,
): Promise<RowPrediction[]> {
  session.rewind(0);
  const rows: RowPrediction[] = [];
  for (let at = 0; at < tokens.length; at += width) {
    rows.push(...(await session.step(tokens.slice(at, at + width), never)));
  }
  return rows;
}

function assertSame(actual: RowPrediction, expected: RowPrediction | undefined, where: string) {
  assert.ok(expected);
  assert.ok(Number.isFinite(expected.logNormalizer), where);
  assert.equal(actual.logNormalizer, expected.logNormalizer, where);
  assert.deepEqual(actual.ids, expected.ids, where);
  assert.deepEqual(actual.logits, expected.logits, where);
}
