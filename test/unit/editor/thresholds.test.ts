/** The threshold view's side in the editor, as far as it is free of VS Code. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { ViewSweep } from '../../../media/thresholds/messages';
import { idsBefore, viewOf } from '../../../src/editor/thresholds/completion';
import { Counters } from '../../../src/editor/thresholds/counters';
import { pageHtml } from '../../../src/editor/thresholds/page';
import { samplePlaces } from '../../../src/editor/thresholds/places';
import { EPSILONS, runSweep, type SweepRun } from '../../../src/editor/thresholds/sweep';
import type { CompletionResult, StepSummary } from '../../../src/engine/protocol';

const step = (changes: Partial<StepSummary> = {}): StepSummary => ({
  ...{ n: 1, text: 'x', source: 'base', confidence: 1, rows: 1, ms: 20 },
  ...changes,
});

const result = (steps: readonly StepSummary[]): CompletionResult => ({
  kind: 'completion',
  text: 'x',
  tokens: steps.reduce((sum, { n }) => sum + n, 0),
  steps: [...steps],
  ...{ prefillMs: 5, decodeMs: 60, stopReason: 'dedent', model: 'm', mode: 'exact' },
  ...{ promptTokens: 3, reusedTokens: 1, promptTail: '', replaceRight: 0 },
});

describe('counters', () => {
  it('add up tokens, steps, and the fate of drafts head by head', () => {
    const counters = new Counters();
    const heads = (tokens: number, accepted: number) =>
      step({ n: accepted + 1, rows: tokens + 1, draft: { source: 'head', tokens, accepted } });
    counters.add(result([step({ rows: 0 }), heads(2, 2), heads(2, 1), heads(2, 0), step()]));
    const { counters: now } = counters;
    assert.deepEqual([now.tokens, now.steps, now.plainMs], [8, 5, 20]);
    // The second head's draft counts only where the first one's held.
    assert.deepEqual(now.heads.slice(0, 2), [
      { drafted: 3, accepted: 2 },
      { drafted: 2, accepted: 1 },
    ]);
  });

  it('do not know plain decoding before a plain step was seen', () => {
    const counters = new Counters();
    counters.add(result([step({ rows: 0 })]));
    assert.equal(counters.counters.plainMs, undefined);
  });
});

describe('a completion for the view', () => {
  it('has the text of drafts that did not hold', () => {
    const draft = (text: string, fate: 'accepted' | 'refused' | 'unreached') => ({
      draft: { id: 1, text, source: 'head' as const, fate },
    });
    const places = [draft(' a', 'accepted'), draft(' b', 'refused'), draft(' c', 'unreached')];
    const traced = step({ trace: { places, draftMs: 0, decideMs: 0 }, ids: [4, 5] });
    const view = viewOf(result([traced]), 'editor', 'a.py:1:1');
    assert.equal(view.steps[0]?.rejected, ' b c');
    assert.equal(view.steppable, true);
  });

  it('can be stepped through only where its tokens are known', () => {
    const steps = [step({ ids: [1, 2] }), step({ ids: [3] }), step()];
    assert.deepEqual(idsBefore(result(steps), 2), [1, 2, 3]);
    assert.equal(idsBefore(result(steps), 3), undefined);
    assert.equal(viewOf(result(steps), 'editor', '').steppable, false);
  });
});

describe('places of a sweep', () => {
  const code = 'def add(a, b):\n    total = a + b\n    return total\n\n\nprint(add(1, 2))\n';

  it('stand behind a word in the first part of lines, with the rest of the line gone', () => {
    const places = samplePlaces(code, 'python', 3);
    assert.deepEqual(
      places.map(({ prefix }) => prefix.split('\n').at(-1)),
      ['def add', '    return', 'print(add'],
    );
    for (const { suffix } of places) assert.ok(suffix === '' || suffix.startsWith('\n'));
  });

  it('lie within any text, and cut no character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), fc.nat(10), (text, count) => {
        for (const { prefix, suffix } of samplePlaces(text, 'x', count)) {
          assert.ok(text.startsWith(prefix) && text.endsWith(suffix));
          assert.ok(prefix.length + suffix.length <= text.length);
        }
      }),
    );
  });
});

describe('the sweep', () => {
  const places = samplePlaces('first line here\nsecond line here\n', 'x', 2);
  const plain: SweepRun = { text: 'abcd', tokens: 4, steps: 4, decodeMs: 80 };
  const quick: SweepRun = { text: 'abcd', tokens: 4, steps: 2, decodeMs: 40 };
  const never = new AbortController().signal;

  it('compares speed and text with plain decoding at each threshold', async () => {
    const complete = (_: unknown, decoding: { mode: string; epsilon?: number }) =>
      Promise.resolve(
        decoding.mode === 'ar'
          ? plain
          : decoding.epsilon === 0
            ? { ...quick, text: 'abXY' }
            : quick,
      );
    const told: ViewSweep[] = [];
    const last = await runSweep('f', places, complete, (sweep) => told.push(sweep), never);
    assert.equal(last.status, 'done');
    assert.deepEqual(
      last.points.map(({ epsilon }) => epsilon),
      EPSILONS,
    );
    assert.deepEqual(last.points[0], { epsilon: 0, tokensPerStep: 2, speedup: 2, agreement: 0.5 });
    assert.equal(last.points[1]?.agreement, 1);
    assert.equal(told.at(-1)?.done, last.total);
  });

  it('keeps what was measured when it is cancelled', async () => {
    const abort = new AbortController();
    let runs = 0;
    const complete = (_: unknown, decoding: { mode: string }) => {
      if (++runs > EPSILONS.length + 3) abort.abort(new Error('enough'));
      abort.signal.throwIfAborted();
      return Promise.resolve(decoding.mode === 'ar' ? plain : quick);
    };
    const last = await runSweep('f', places, complete, () => undefined, abort.signal);
    assert.equal(last.status, 'cancelled');
    assert.equal(last.points.length, EPSILONS.length, 'the first place');
  });

  it('ends with the error of a run', async () => {
    const complete = () => Promise.reject(new Error('The engine is gone.'));
    await assert.rejects(
      runSweep('f', places, complete, () => undefined, never),
      /gone/,
    );
  });
});

describe('the page', () => {
  it('allows its own bundle and nothing else', () => {
    const html = pageHtml({ source: 'https://w', script: 's.js', style: 's.css', nonce: 'abc' });
    const policy = /Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1];
    assert.equal(policy, "default-src 'none'; style-src https://w; script-src 'nonce-abc';");
    assert.ok(!/unsafe|https?:\/\/(?!w)/.test(html));
    assert.ok(!/ on\w+=/.test(html), 'no inline handlers');
    assert.ok([...html.matchAll(/<script[^>]*>/g)].every(([tag]) => tag.includes('nonce="abc"')));
  });
});
