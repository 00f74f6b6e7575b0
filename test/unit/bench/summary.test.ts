import assert from 'node:assert/strict';
import type { Outcome, ResultRow } from '../../../bench/steps/results';
import { modeFigures } from '../../../bench/steps/summary';

const outcome = (tokens: number, steps: number[], decodeMs: number): Outcome => ({
  ...{ text: 'x', tokens, steps, decodeMs, stopReason: 'newline', drafts: [], prefillMs: 1 },
});
const row = (id: string, modes: Record<string, Outcome>): ResultRow => ({
  ...{ id, kind: 'line', modes },
});
/** Of one task. */
const figures = (plain: Outcome, own: Outcome) =>
  modeFigures('own', [row('a/1', { ar: plain, own })]);

describe('what a mode decodes', () => {
  it('is what the text has, not what a last step said behind the line’s end', () => {
    const { speedUp, tokensPerStep, lengths, msPerToken, tokens, steps } = figures(
      outcome(4, [1, 1, 1, 1], 90),
      outcome(4, [1, 1, 8], 60),
    );
    assert.equal(speedUp, 1.5);
    assert.deepEqual([tokens, steps, tokensPerStep, msPerToken], [4, 2, 1.5, 20]);
    assert.deepEqual(lengths, [1, 1]);
  });

  it('is all but the first token, which the prefill gives: the rest of a first step counts', () => {
    const plain = outcome(3, [1, 1, 1], 40);
    assert.equal(figures(plain, outcome(3, [3], 10)).msPerToken, 5);
    assert.equal(figures(plain, outcome(3, [3], 10)).speedUp, 4);
    // Of a first step that goes on behind the line's end, too.
    assert.equal(figures(plain, outcome(3, [8], 10)).speedUp, 4);
  });

  it('is nothing of a text without tokens', () => {
    const none = outcome(0, [], 1);
    const made = modeFigures('own', [
      row('a/1', { ar: none, own: none }),
      row('a/2', { ar: outcome(3, [1, 1, 1], 19), own: outcome(3, [1, 2], 9) }),
    ]);
    assert.deepEqual([made.speedUp, made.tokensPerStep, made.steps], [2, 2, 1]);
  });

  it('is as sure as its problems are many, not its lines', () => {
    const speeds = [10, 20, 30, 20, 15];
    const rows = (lines: number) =>
      speeds.flatMap((ms, problem) =>
        Array.from({ length: lines }, (_, line) =>
          row(`${problem}/L${line}`, {
            ar: outcome(3, [1, 1, 1], 40),
            own: outcome(3, [1, 1, 1], ms),
          }),
        ),
      );
    const [many, few] = [40, 1].map((lines) => modeFigures('own', rows(lines)).speedUpInterval);
    assert.ok(many && few);
    assert.ok(Math.abs(many.low - few.low) < 1e-9 && Math.abs(many.high - few.high) < 1e-9);
  });
});
