/** The contract of Stepper, on a real graph: bit for bit, because exact mode compares choices. */
import assert from 'node:assert/strict';
import type { RowPrediction } from '../../src/decoding/stepper';
import { BLOCK } from '../../src/engine/kv';
import { TrunkSession } from '../../src/engine/session';
import { installed, never } from './installed';

const CONTEXT = 3 * BLOCK;
const LENGTH = 2 * BLOCK + 20;
const TOKENS = Array.from({ length: LENGTH }, (_, i) => (i * 7919 + 13) % 40_000);
const OTHERS = TOKENS.map((token) => (token + 1) % 40_000);

describe('a session', () => {
  let session: TrunkSession;
  /** What follows each prefix of TOKENS in a session that never saw anything else. */
  let expected: RowPrediction[];

  before(async () => {
    const model = await installed('smollm2-135m', 'int8');
    const open = () => TrunkSession.open(model, { threads: 2, contextLength: CONTEXT });
    session = await open();
    const untouched = await open();
    expected = [];
    for (let at = 0; at < LENGTH; at += 4) {
      expected.push(...(await untouched.step(TOKENS.slice(at, at + 4), never)));
    }
    await untouched.close();
  });
  after(() => session.close());
  beforeEach(() => session.rewind(0));

  const prefill = (length: number) => session.prefill(TOKENS.slice(0, length), never);

  /** Checks predictions of the rows of TOKENS that begin at `from`. */
  function assertRows(rows: readonly RowPrediction[], from: number, where: string): void {
    rows.forEach((row, i) => {
      const wanted = expected[from + i];
      assert.equal(row.logNormalizer, wanted?.logNormalizer, `${where}, row ${from + i}`);
      assert.deepEqual(row.ids, wanted?.ids, `${where}, row ${from + i}`);
      assert.deepEqual(row.logits, wanted?.logits, `${where}, row ${from + i}`);
    });
  }

  describe('rewound', () => {
    for (const kept of [0, 1, 100, BLOCK - 1, BLOCK, 2 * BLOCK - 1, 2 * BLOCK]) {
      it(`to ${kept} rows goes on as if it had never gone further`, async () => {
        await session.prefill([...TOKENS.slice(0, kept), ...OTHERS.slice(kept, kept + 150)], never);
        session.rewind(kept);
        assert.equal(session.length, kept);
        assertRows(await session.step(TOKENS.slice(kept, kept + 3), never), kept, 'after rewind');
        assert.equal(session.length, kept + 3);
      });
    }

    it('again and again within a step keeps its rows sound', async () => {
      await prefill(BLOCK - 4);
      for (let kept = BLOCK - 4; kept < BLOCK + 8; kept += 3) {
        // Eight rows, of which the first three are right: as a step with drafts.
        const rows = [...TOKENS.slice(kept, kept + 3), ...OTHERS.slice(kept + 3, kept + 8)];
        assertRows((await session.step(rows, never)).slice(0, 3), kept, 'drafts');
        session.rewind(kept + 3);
      }
    });

    it('to what it never held is an error', async () => {
      await prefill(5);
      for (const length of [6, -1, 1.5, NaN]) {
        assert.throws(() => session.rewind(length), RangeError);
      }
      assert.equal(session.length, 5);
    });
  });

  describe('stepping', () => {
    for (let before = 1; before < 8; before++) {
      it(`over a block border after ${before} of 8 rows changes nothing`, async () => {
        const from = BLOCK - before;
        await prefill(from);
        const rows = await session.step(TOKENS.slice(from, from + 8), never);
        assert.equal(rows.length, 8);
        assertRows(rows, from, 'over the border');
        assertRows(await session.step(TOKENS.slice(from + 8, from + 9), never), from + 8, 'next');
      });
    }

    it('keeps predictions that it gave earlier', async () => {
      const rows = await session.step(TOKENS.slice(0, 2), never);
      await session.step(TOKENS.slice(2, 10), never);
      assertRows(rows, 0, 'after another step');
    });

    it('refuses no rows, too many, and more than the context holds', async () => {
      await assert.rejects(session.step([], never), RangeError);
      await assert.rejects(session.step(TOKENS.slice(0, 9), never), RangeError);
      assert.equal(session.length, 0);
      await session.prefill([...TOKENS, ...OTHERS].slice(0, CONTEXT - 2), never);
      await assert.rejects(session.step([1, 2, 3], never), /context of 384 tokens is full/);
      assert.equal((await session.step([1, 2], never)).length, 2, 'what fits, fits');
      await assert.rejects(session.step([1], never), RangeError);
      assert.equal(session.length, CONTEXT);
    });

    it('does nothing when it is aborted before, and stays sound when aborted within', async () => {
      const from = BLOCK - 2;
      await prefill(from);
      const rows = TOKENS.slice(from, from + 5);
      await assert.rejects(session.step(rows, AbortSignal.abort(new Error('gone'))), /gone/);
      assert.equal(session.length, from);
      await assert.rejects(session.step(rows, abortedAfter(1)), /enough/);
      assert.equal(session.length, BLOCK, 'the part before the border ran');
      assertRows(await session.step(TOKENS.slice(BLOCK, BLOCK + 1), never), BLOCK, 'after abort');
    });
  });

  describe('a prefill', () => {
    /** Prefills `tokens`, of which TOKENS begins with the first `same`. */
    async function check(length: number, reused: number): Promise<void> {
      const output = await prefill(length);
      assert.equal(output.reused, reused);
      assert.equal(session.length, length);
      assertRows([output.last], length - 1, `prefill of ${length}`);
    }

    it('runs only what is new', async () => {
      await check(50, 0);
      await check(LENGTH, 50);
    });

    it('runs the last row again in any case', async () => {
      await check(200, 0);
      await check(200, 199);
      await check(BLOCK, BLOCK - 1);
      await check(1, 0);
    });

    it('reuses up to the first difference', async () => {
      for (const same of [BLOCK + 1, BLOCK, BLOCK - 1, 3, 0]) {
        await session.prefill([...TOKENS.slice(0, same), ...OTHERS.slice(same, 140)], never);
        await check(150, same);
      }
    });

    it('reuses rows of steps', async () => {
      await prefill(BLOCK - 3);
      await session.step(TOKENS.slice(BLOCK - 3, BLOCK + 5), never);
      await check(BLOCK + 9, BLOCK + 5);
    });

    it('refuses no tokens and more than the context holds, and keeps what it had', async () => {
      await prefill(20);
      await assert.rejects(session.prefill([], never), RangeError);
      const many = Array<number>(CONTEXT + 1).fill(1);
      await assert.rejects(session.prefill(many, never), /1 to 384 tokens; this one has 385/);
      await check(30, 20);
    });

    it('fills the context to the last row', async () => {
      const { last } = await session.prefill(Array<number>(CONTEXT).fill(1), never);
      assert.ok(Number.isFinite(last.logNormalizer));
      assert.equal(session.length, CONTEXT);
    });

    it('keeps the chunks that ran before it was aborted', async () => {
      await assert.rejects(session.prefill(TOKENS, AbortSignal.abort(new Error('gone'))), /gone/);
      assert.equal(session.length, 0);
      await assert.rejects(session.prefill(TOKENS, abortedAfter(1)), /enough/);
      assert.equal(session.length, BLOCK);
      await assert.rejects(session.prefill(TOKENS, abortedAfter(1)), /enough/);
      await check(LENGTH, 2 * BLOCK);
    });

    it('is aborted while it runs', async () => {
      const abort = new AbortController();
      const running = session.prefill(TOKENS, abort.signal);
      abort.abort(new Error('typed on'));
      await assert.rejects(running, /typed on/);
      assert.ok(session.length < LENGTH);
      const { last } = await prefill(LENGTH);
      assertRows([last], LENGTH - 1, 'after abort');
    });
  });
});

describe('a session with memory for several documents', () => {
  it('goes back to each without a prefill, to the same bits', async () => {
    const model = await installed('smollm2-135m', 'int8');
    const options = { threads: 2, contextLength: CONTEXT };
    const [several, single] = [
      await TrunkSession.open(model, { ...options, cacheBytes: 1e9 }),
      await TrunkSession.open(model, options),
    ];
    for (const tokens of [TOKENS, OTHERS, TOKENS, OTHERS, TOKENS.slice(0, 200).concat(3, 4)]) {
      const { last } = await several.prefill(tokens, never);
      single.rewind(0);
      const expected = await single.prefill(tokens, never);
      assert.equal(last.logNormalizer, expected.last.logNormalizer);
      assert.deepEqual(last.logits, expected.last.logits);
      const [a, b] = [await several.step([9, 8], never), await single.step([9, 8], never)];
      assert.deepEqual(a, b);
    }
    assert.equal((await several.prefill(OTHERS, never)).reused, LENGTH - 1);
    // Near enough to the end to be given up for the prompt after it.
    assert.equal((await several.prefill(TOKENS, never)).reused, 200);
    await several.close();
    await single.close();
  });
});

/** A signal that is aborted when it has been looked at so many times. */
function abortedAfter(looks: number): AbortSignal {
  const { signal } = new AbortController();
  let seen = 0;
  signal.throwIfAborted = () => {
    if (++seen > looks) throw new Error('enough');
  };
  return signal;
}
