/** The threshold view's model: what it draws, before it is drawn. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { SweepPoint, ViewCompletion, ViewSettings } from '../../../media/thresholds/messages';
import { ladderOf } from '../../../media/thresholds/model/decision';
import { labelOf, readable, shorten, visible } from '../../../media/thresholds/model/label';
import { placeOf } from '../../../media/thresholds/model/options';
import { outline } from '../../../media/thresholds/model/outline';
import {
  gridOf,
  orders,
  panel,
  panels,
  slices,
  type GridCell,
} from '../../../media/thresholds/model/panels';
import { format, histogram, position } from '../../../media/thresholds/model/scale';
import { bestOf } from '../../../media/thresholds/model/sweep';
import { MOST_RUNS, runsOf, totalsOf } from '../../../media/thresholds/model/trace';
import { createFastChooser } from '../../../src/decoding/fast-choice';
import { chainedInspection, headlessInspection, inspection } from '../../fixtures/inspection';

const settings: ViewSettings = {
  mode: 'fast',
  epsilon: 0.2,
  useOtsu: true,
  useBlur: true,
  alpha: 1,
  topK: 50,
  temperature: 1,
  chains: 4,
  penalty: 1,
  lookup: true,
};
const independent = placeOf(inspection('m'));
const chained = placeOf(chainedInspection('m'));
const round = (values: Iterable<number>) => Array.from(values, (x) => Number(x.toFixed(4)));
const text = (id: number, written: string) => labelOf({ id, kind: 'text', text: written }).text;

describe('labels of tokens', () => {
  for (const [written, shown] of [
    [' the', '␣the'],
    ['\n\t', '⏎⇥'],
    ['<img onerror=alert(1)>', '<img␣onerror=alert(1)>'],
    ['\u202eevil', '⟨202E⟩evil'],
    ['\u200b', '⟨200B⟩'],
    ['\u0000', '⟨0000⟩'],
    ['שלום', 'שלום'],
    ['é', 'é'],
  ] as const) {
    it(`show ${JSON.stringify(written)} as ${shown}`, () => assert.equal(text(1, written), shown));
  }

  it('name control tokens, and show parts of characters by their bytes', () => {
    assert.deepEqual(labelOf({ id: 9, kind: 'control', text: '<|end|>' }), {
      text: '<|end|>',
      name: true,
    });
    assert.equal(labelOf({ id: 9, kind: 'control', text: '' }).text, '#9');
    assert.equal(labelOf({ id: 9, kind: 'bytes', text: 'e282' }).text, 'e2 82');
  });

  it('hide nothing and turn nothing around, whatever is written', () => {
    const hidden = /[\p{Cc}\p{Cf}\p{Zs}\p{Zl}\p{Zp}]/u;
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (any) => {
        assert.ok(!hidden.test(visible(any)));
        assert.ok(!hidden.test(readable(any).replace(/[ \n\t]/g, '')));
      }),
    );
  });

  it('are cut between characters', () => {
    assert.equal(shorten('abcdef', 4), 'abc…');
    assert.equal(shorten('😀😀😀', 3), '😀😀😀');
    assert.equal(shorten('😀😀😀', 2), '😀…');
  });
});

describe('panels', () => {
  it('draw the numbers that fast mode decides by', () => {
    const { proposal, table } = independent;
    const choose = createFastChooser({
      ...{ epsilon: 0.2, temperature: 1, penalty: 1, choice: 'likeliest', maxOrder: 2 },
      ...(table && { table, mask: { alpha: 1 } }),
    });
    const decision = choose(proposal, []);
    const cut = panel(independent, settings, 2, 'cut');
    assert.ok(cut);
    assert.deepEqual(cut.picture.trace, decision.tried[0]);
    assert.equal(cut.picture.left[cut.picture.best ?? -1], decision.joint);
  });

  it('are five side by side: plain, two masks, two cuts', () => {
    const five = panels(independent, settings, 2);
    assert.deepEqual(
      five.map(({ title }) => title),
      ['Plain', 'Masked, α 0.5', 'Masked, α 1', 'Thresholded, no blur', 'Thresholded, blur'],
    );
    const [plain, half, masked] = five;
    const place = 0; // " the" and " cat", with a lift of 2.
    assert.deepEqual(round([plain?.valueAt(place) ?? 0]), [0.3]);
    assert.deepEqual(round([half?.valueAt(place) ?? 0]), [0.4243]);
    assert.deepEqual(round([masked?.valueAt(place) ?? 0]), [0.6]);
  });

  it('show no mask where there is none', () => {
    const titles = panels(chained, settings, 2).map(({ title }) => title);
    assert.deepEqual(titles, ['Plain', 'Thresholded, no blur', 'Thresholded, blur']);
  });

  it('have rows of first and columns of second tokens', () => {
    const plain = panel(independent, settings, 2, 'plain');
    assert.ok(plain);
    const grid = gridOf(independent, plain.picture, 2);
    assert.deepEqual(
      grid.rows.map(({ label }) => label.map((each) => each.text)),
      [['␣the'], ['␣a']],
    );
    assert.deepEqual(
      grid.columns?.map((label) => label.text),
      ['␣cat', '␣dog'],
    );
    assert.deepEqual(
      grid.rows.map(({ cells }) => round(cells.map(({ place }) => plain.valueAt(place)))),
      [
        [0.3, 0.18],
        [0.15, 0.09],
      ],
    );
  });

  it('are cut at a third token', () => {
    const plain = panel(independent, settings, 3, 'plain');
    assert.ok(plain);
    assert.deepEqual(
      slices(independent, 2).map((label) => label.text),
      ['⏎', '⟨202E⟩'],
    );
    for (const [slice, factor] of [0.7, 0.2, 0.1].entries()) {
      const grid = gridOf(independent, plain.picture, 2, slice);
      const cells: readonly GridCell[] = grid.rows[0]?.cells ?? [];
      const shown: number[] = cells.map((cell) => plain.valueAt(cell.place));
      assert.deepEqual(round(shown), round([0.3 * factor, 0.18 * factor]));
    }
  });

  it('have a row for each chain that was followed, with its own columns', () => {
    const plain = panel(chained, settings, 2, 'plain');
    assert.ok(plain);
    const { rows, columns } = gridOf(chained, plain.picture, 10);
    assert.equal(columns, undefined);
    assert.deepEqual(
      rows.map(({ label, cells }) =>
        [...label, ...cells.map((cell) => cell.label)].map((l) => l.text),
      ),
      [
        ['␣the', '␣cat', '␣dog'],
        ['␣a', '␣dog', '␣cat'],
      ],
    );
    assert.deepEqual(round(plain.picture.plain), [0.56, 0.14, 0.18, 0.12]);
    const alone = panel(chained, { ...settings, chains: 1 }, 2, 'plain');
    assert.equal(alone?.picture.shape[0], 1, 'as many rows as fast mode asks for');
  });

  it('exist for as many tokens as there are heads', () => {
    assert.deepEqual(
      [orders(independent), orders(chained)],
      [
        [2, 3],
        [2, 3],
      ],
    );
    const base = placeOf(headlessInspection('m'));
    assert.deepEqual(orders(base), []);
    assert.equal(panel(base, settings, 2, 'plain'), undefined);
    assert.equal(ladderOf(base, settings).tokens.length, 1);
  });
});

describe('the ladder of orders', () => {
  it('says what is written, and why longer ones are not', () => {
    const { rungs, tokens } = ladderOf(independent, { ...settings, epsilon: 0.55, alpha: 0 });
    assert.deepEqual(
      rungs.map(({ order, why }) => [order, why]),
      [
        [3, 'none reaches ε²'],
        [2, 'none reaches ε'],
      ],
    );
    assert.deepEqual(
      tokens.map((token) => token.text),
      ['␣the'],
    );
    assert.equal(ladderOf(independent, { ...settings, epsilon: 0 }).tokens.length, 3);
    assert.deepEqual(ladderOf(independent, { ...settings, epsilon: 1 }).rungs, []);
  });
});

describe('the scale', () => {
  it('is logarithmic between 0.00001 and 1', () => {
    assert.deepEqual([1, 0.1, 1e-5, 1e-9, 0].map(position), [1, 0.8, 0, 0, 0]);
    assert.deepEqual([0, 1, 0.9999, 0.5, 0.099_99, 0.012, 2e-5].map(format), [
      '0',
      '1',
      '>.999',
      '.500',
      '.100',
      '.0120',
      '2.0e−5',
    ]);
  });

  it('counts every cell of J once', () => {
    const cells = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 50 });
    fc.assert(
      fc.property(cells, (values) => {
        const all = Float64Array.from(values);
        const { counts, survivors, zeros } = histogram(
          all,
          [...all.keys()].filter((place) => (all[place] ?? 0) > 0.5),
        );
        const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
        assert.equal(sum(counts) + zeros, values.length);
        assert.equal(sum(survivors), values.filter((x) => x > 0.5).length);
      }),
    );
  });
});

describe('the outline of survivors', () => {
  it('runs around them, not between them', () => {
    const held = new Set(['0,0', '0,1']);
    const path = outline(2, 2, (row, column) => held.has(`${row},${column}`), 10, 5);
    assert.deepEqual(
      path.split('M').filter(Boolean).sort(),
      ['0 0h10', '0 0v5', '0 5h10', '10 0h10', '10 5h10', '20 0v5'].sort(),
    );
  });
});

describe('the steps of a completion', () => {
  const step = {
    text: 'ab',
    n: 2,
    source: 'head',
    confidence: 0.5,
    rows: 2,
    ms: 10,
    rejected: ' x',
  };
  const completion = {
    ...{ origin: 'editor', where: 'a:1:1', mode: 'exact', model: 'm', text: 'abc', tokens: 4 },
    ...{ promptTokens: 1, reusedTokens: 0, prefillMs: 1, decodeMs: 20, stopReason: 'dedent' },
    steps: [step, { ...step, source: 'lookup', ms: 5, text: '\u202e\n' }],
    steppable: true,
  } as ViewCompletion;

  it('are runs of text without anything hidden, with what was rejected', () => {
    const runs = runsOf(completion, 'time', false);
    assert.deepEqual(
      runs.map(({ text: shown, rejected, strength }) => [shown, rejected, strength]),
      [
        ['ab', '␣x', 1],
        ['⟨202E⟩\n', '␣x', 0.5],
      ],
    );
    assert.match(
      runs[0]?.title ?? '',
      /Step 1: 2 tokens from the heads, 50 % sure, 10\.0 ms, 2 rows/,
    );
  });

  it('are counted by source: the first token of each is the base’s own', () => {
    const { tokensPerStep, tokensPerSecond, bySource } = totalsOf(completion);
    assert.deepEqual([tokensPerStep, tokensPerSecond], [2, 200]);
    assert.deepEqual(bySource, { base: 2, head: 1, lookup: 1 });
  });

  it('of a huge completion are shown in part, until all are asked for', () => {
    const steps = Array.from({ length: 5000 }, () => completion.steps[0]).filter(
      (s) => s !== undefined,
    );
    const huge = { ...completion, steps };
    assert.equal(runsOf(huge, 'step', false).length, MOST_RUNS);
    assert.equal(runsOf(huge, 'step', true).length, 5000);
  });
});

describe('the best threshold', () => {
  const point = (epsilon: number, speedup: number, agreement: number): SweepPoint => ({
    ...{ epsilon, speedup, agreement },
    tokensPerStep: 1,
  });

  it('is the fastest of those that agree with the exact text', () => {
    const points = [point(0, 3, 0.7), point(0.4, 2, 0.99), point(0.5, 2, 1), point(1, 1, 1)];
    assert.equal(bestOf(points)?.epsilon, 0.5);
    assert.equal(bestOf(points.slice(0, 1)), undefined);
  });
});
