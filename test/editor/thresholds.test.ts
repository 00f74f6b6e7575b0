/** The threshold view as a user meets it, in a real VS Code with the real 0.5B model. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame } from 'playwright-core';
import type { ToPage, ViewSettings } from '../../media/thresholds/messages';
import type { HeatmapSpec } from '../../media/thresholds/parts/heatmap-element';
import { limited, optionsOf, placeOf } from '../../media/thresholds/model/options';
import { createFastChooser } from '../../src/decoding/fast-choice';
import { tone } from '../../media/thresholds/model/scale';
import { pictureOf } from '../../src/decoding/picture';
import type { Inspection } from '../../src/engine/inspection';
import { readCurve } from '../../src/models/threshold-curve';
import { headlessInspection, inspection as smallInspection } from '../fixtures/inspection';
import { Desk } from './harness/desk';
import { enginesOf } from './harness/engines';
import { inspectDirectly } from './harness/inspect';
import type { EditorServer } from './harness/server';
import { drawnCells, viewFrame } from './harness/view';
import type { EditorWindow } from './harness/window';

const PYTHON = `def add(a, b):
    """The sum of a and b."""
    return a + b


def multiply(a, b):
    """The product of a and b."""
    return a * b


def subtract(a, b):
    """The difference of a and b."""
`;
/** Two places for a sweep. */
const SHORT = 'for number in range(10):\n    print(number * number)\n';
const PROMPT = 'def read_json(path):\n    with open(path) as';

const DEFAULTS = {
  ...{ mode: 'exact', useOtsu: true, useBlur: true, alpha: 0, topK: 50 },
  ...{ temperature: 0.7, chains: 1, penalty: 1.1, lookup: true },
} satisfies Partial<ViewSettings>;

describe('the threshold view in a real editor', () => {
  let desk: Desk;
  let server: EditorServer;
  let window: EditorWindow;
  let view: Frame;
  let asked: Inspection;

  before(async () => {
    asked = await inspectDirectly('qwen2.5-coder-0.5b', PROMPT);
    desk = await Desk.open({
      files: { 'sum.py': PYTHON, 'short.py': SHORT, 'other.md': 'Another file.\n' },
    });
    server = desk.server;
    window = await desk.window();
    await window.page.setViewportSize({ width: 1500, height: 1000 });
    await window.openFile('sum.py');
    await window.type('    re');
    await window.untilGhostText();
    await window.command('DynaMo: Show Thresholds');
    view = await viewFrame(window);
    await view.locator('dynamo-heatmap').first().waitFor();
  });

  after(() => desk.close());

  const text = (selector: string) => view.locator(selector).first().innerText();
  const untilText = (what: string, selector: string, fits: RegExp) =>
    window.until(
      what,
      () => text(selector).catch(() => ''),
      (seen) => fits.test(seen),
    );
  const slide = (name: keyof ViewSettings, value: number) =>
    view.locator(`input[data-setting="${name}"]`).fill(String(value));
  const choose = (name: string, value: string) =>
    view.locator(`[data-name="${name}"] input[value="${value}"]`).check();
  /** The survivors of the orders that were tried, the largest order first. */
  const survivors = () =>
    view
      .locator('.ladder td[data-survivors]')
      .evaluateAll((cells) => cells.map((cell) => Number(cell.getAttribute('data-survivors'))));
  /** In the group beside the view, which stays in sight. */
  const openBeside = async (name: string) => {
    await window.page.locator('.view-lines').first().click();
    await window.openFile(name);
  };
  /** As if the extension had said it. */
  const tell = (message: ToPage) =>
    view.evaluate((said) => globalThis.postMessage(said, '*'), message);

  it('shows what the model expects where the cursor stands', async () => {
    assert.match(await text('.where'), /sum\.py:13:7/);
    assert.match(await text('.verdict'), /Fast mode writes \d tokens? here/);
    assert.match(await text('header'), /qwen2\.5-coder-0\.5b · \d+ chained heads/);
    await window.screenshot('thresholds-at-the-cursor');
  });

  it('draws the numbers of the engine', async () => {
    await choose('source', 'prompt');
    await view.locator('vscode-textarea').locator('textarea').fill(PROMPT);
    await view.getByText('Look', { exact: true }).last().click();
    await untilText('place', '.where strong', /Behind your text/);
    await choose('layout', 'plain');
    await choose('chains', '3');
    const place = placeOf(asked);
    // What the model believes does not depend on ε_b, but at 1, which the view begins with, there is no second token.
    await slide('epsilon', 0.5);
    const settings = { ...DEFAULTS, epsilon: 0.5, chains: 3 };
    const proposal = limited(place.proposal, 3);
    const options = { ...optionsOf(settings), table: place.table };
    const picture = pictureOf(proposal, asked.recent, options, 2);
    assert.ok(picture);
    await window.until(
      'three rows',
      () => drawnCells(view),
      (seen) => seen.some(({ place: at }) => at >= 100),
    );
    const drawn = await drawnCells(view);
    for (const { place: at, value } of drawn) {
      const expected = picture.plain[at] ?? NaN;
      assert.ok(
        Math.abs(value - expected) < 1e-6 * Math.max(1e-3, expected),
        `${value} ${expected}`,
      );
    }
    // The colours say the same: equal tones look equal, and the likeliest cell unlike the least.
    const looks = new Map<number, string>();
    for (const { value, colour } of drawn.filter((cell) => cell.value > 1e-5)) {
      const known = looks.get(tone(value)) ?? colour.join();
      assert.equal(colour.join(), known, `value ${value}`);
      looks.set(tone(value), known);
    }
    assert.ok(looks.size > 3 && new Set(looks.values()).size === looks.size, 'a colour each');
  });

  it('moves survivors with ε_b as the decoder does', async () => {
    const place = placeOf(asked);
    for (const epsilon of [0, 0.05, 0.2, 0.5, 0.9, 1, 0]) {
      await slide('epsilon', epsilon);
      const settings = { ...DEFAULTS, chains: 3, epsilon };
      const decide = createFastChooser({
        ...optionsOf(settings),
        table: place.table,
        choice: 'likeliest',
      });
      const decision = decide(limited(place.proposal, 3), asked.recent);
      const expected = decision.tried.map((trace) => trace.survivors);
      await window.until(`survivors at ${epsilon}`, survivors, (seen) => same(seen, expected));
      const tokens = await view.locator('.verdict .token').count();
      assert.equal(tokens, decision.choices.length);
    }
    await slide('epsilon', 0.5);
  });

  it('draws anew without asking the engine when a control moves', async () => {
    const before = await text('.where');
    await slide('temperature', 1.5);
    await window.until(
      'another picture',
      () => text('.verdict'),
      (seen) => seen !== '',
    );
    assert.equal(await text('.where'), before);
    await slide('temperature', 0.7);
  });

  it('decodes the last completion again with what the controls say', async () => {
    await choose('mode', 'fast');
    await slide('epsilon', 0);
    const heading = view.locator('h3').filter({ hasText: 'With these settings' });
    await window.until(
      'tried',
      async () => ((await heading.count()) > 0 ? await heading.innerText() : ''),
      (title) => title.includes('fast'),
    );
    assert.notEqual(await text('#steps-tried'), '');
    await window.screenshot('thresholds-tried');
  });

  it('shows the place of a step that is chosen', async () => {
    await view.locator('#steps-editor [role=option]').nth(1).click();
    await untilText('step', '.where strong', /Step 2 of sum\.py/);
    await view.locator('#steps-tried [role=option]').first().click();
    await untilText('step', '.where strong', /Step 1 of sum\.py.*, with these settings/);
  });

  it('goes from step to step by keyboard, however quickly one presses', async () => {
    const list = view.locator('#steps-editor');
    const options = list.locator('[role=option]');
    const untilActive = async (step: number) => {
      await window.until(
        `step ${step}`,
        () => list.getAttribute('aria-activedescendant'),
        (active) => active === `steps-editor-${step}`,
      );
      await untilText('step', '.where strong', new RegExp(`Step ${step + 1} of sum\\.py`));
    };
    await options.first().click();
    await list.focus();
    const last = (await options.count()) - 1;
    assert.ok(last >= 2, 'more steps than one key reaches');
    for (let step = 0; step < last; step += 1) await window.press('ArrowRight');
    await untilActive(last);
    // All of them before the page is drawn again.
    await list.evaluate((element, times) => {
      for (let time = 0; time < times; time += 1) {
        element.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowLeft' }));
      }
    }, last);
    await untilActive(0);
  });

  it('applies its settings to the next completion, and resets them', async () => {
    await choose('mode', 'ar');
    await view.locator('vscode-button').filter({ hasText: 'Apply' }).click();
    await untilText('saved', '.controls > p', /saved settings/);
    await window.page.locator('.view-lines').first().click();
    await window.press('Control+End');
    await window.type('turn');
    await untilText('plain', '#completion-title ~ h3', /plain/);
    await view.locator('vscode-button').filter({ hasText: 'Reset' }).click();
    await window.until(
      'exact again',
      () => view.locator('[data-name="mode"] input[value="exact"]').isChecked(),
      Boolean,
    );
  });

  it('runs a sweep over the file, and cancels it', async () => {
    await view.getByText('Run the sweep').click();
    await view.locator('progress').waitFor();
    await window.until(
      'progress',
      () => view.locator('progress').evaluate((bar: HTMLProgressElement) => bar.value),
      (value) => value > 1,
    );
    await view.locator('vscode-button').filter({ hasText: 'Cancel' }).click();
    await untilText('cancelled', '#swept', /Cancelled/);
  });

  it('runs a sweep to its end, and uses the best threshold that it found', async () => {
    await openBeside('short.py');
    await view.getByText('Run the sweep').click();
    await untilText('the end', '#swept', /2 places of short\.py/);
    const rows = view.locator('#sweep-numbers tbody tr');
    assert.equal(await rows.count(), 11, 'a row for each threshold');
    await view.getByText('Numbers', { exact: true }).click();
    const table = await rows.evaluateAll((all) =>
      all.map((row) => [...row.children].map((cell) => parseFloat(cell.textContent ?? ''))),
    );
    const [, epsilon = ''] = /ε ([\d.]+):/.exec(await text('#best')) ?? [];
    const [, , best = NaN, agreement = NaN] = table.find(([e]) => e === Number(epsilon)) ?? [];
    assert.ok(agreement >= 99, `${agreement} % agreement`);
    for (const [, , speedup = NaN, other = NaN] of table) {
      assert.ok(other < 100 || speedup <= best, `${speedup} × at ${other} %`);
    }
    await window.screenshot('thresholds-sweep');
    await view.getByText('Use the best').click();
    await untilText('its ε_b', 'label[for="set-epsilon"] output', new RegExp(`^${epsilon}$`));
    assert.ok(await view.locator('[data-name="mode"] input[value="fast"]').isChecked());
    await view.locator('vscode-button').filter({ hasText: 'Apply' }).click();
    await untilText('saved', '.controls > p', /saved settings/);
    await openBeside('sum.py');
    await window.press('Enter');
    await window.type('    re');
    await untilText('fast', '#completion-title ~ h3', /fast/);
    await view.locator('vscode-button').filter({ hasText: 'Reset' }).click();
    await untilText('reset', '.controls > p', /saved settings/);
  });

  it('says plainly that the model card has no curve, or shows the one that it has', async () => {
    const found = await readCurve(join(process.cwd(), 'models'), 'qwen2.5-coder-0.5b');
    const says = { none: /not measured yet/, measured: /Dashed/, unreadable: /not shown/ };
    await untilText('card', '#card', says[found.status]);
    const point = { tokensPerStep: 1.5, speedup: 1.2, agreement: 0.9 };
    const points = [0, 0.5, 1].map((epsilon) => ({ ...point, epsilon }));
    const card = { status: 'measured', points, measuredOn: '7 tasks' } as const;
    await tell({ type: 'card', card });
    await untilText('card', '#card', /Dashed: the model card’s curve, 7 tasks/);
    await tell({ type: 'card', card: { status: 'unreadable', message: 'It is damaged.' } });
    await untilText('card', '#card', /It is damaged/);
  });

  it('shows hostile tokens as text, and breaks on none', async () => {
    const tokens = ['<img src=x onerror=alert(1)>', '\u202ereversed', '</svg><script>'];
    const small = smallInspection('hostile');
    const inspection: Inspection = {
      ...small,
      promptTail: 'before \u202eafter',
      tokens: small.tokens.map((token) => ({ ...token, text: tokens[token.id % 3] ?? '' })),
    };
    await tell({ type: 'inspection', where: '<b>here</b>\u202e', place: 'prompt', inspection });
    await untilText('hostile', '.where strong', /<b>here<\/b>/);
    assert.equal(await view.locator('img, #view script, .where b').count(), 0);
    assert.match(await text('.verdict'), /<img␣src=x␣onerror=alert\(1\)>|⟨202E⟩|<\/svg>/);
    const whole = await view.locator('#view').innerText();
    assert.ok(!whole.includes('\u202e'), 'no override reaches the page');
  });

  it('is not moved by messages that are none', async () => {
    const before = await text('.where');
    await view.evaluate(() => {
      for (const hostile of [null, 7, { type: 'state' }, { type: 'inspection', inspection: {} }]) {
        globalThis.postMessage(hostile, '*');
      }
    });
    assert.equal(await text('.where'), before);
  });

  it('shows 5,000 steps, the first ones until all are asked for', async () => {
    const step = { text: 'word ', n: 1, source: 'base', confidence: 0.5, rows: 1, ms: 9 } as const;
    await tell({
      type: 'completion',
      completion: {
        ...{ origin: 'editor', where: 'long.md:1:1', mode: 'ar', model: 'm', stopReason: 'x' },
        ...{ tokens: 5000, promptTokens: 1, reusedTokens: 0, prefillMs: 1, decodeMs: 1 },
        steps: Array.from({ length: 5000 }, () => ({ ...step, rejected: '' })),
        text: 'word '.repeat(5000),
        steppable: false,
      },
    });
    const options = view.locator('#steps-editor [role=option]');
    await window.until(
      'steps',
      () => options.count(),
      (count) => count === 1500,
    );
    await view.locator('vscode-button').filter({ hasText: 'Show all' }).click();
    await window.until(
      'all steps',
      () => options.count(),
      (count) => count === 5000,
    );
  });

  it('says plainly when a model has no heads', async () => {
    const inspection = headlessInspection('headless');
    await tell({ type: 'inspection', where: 'nowhere', place: 'prompt', inspection });
    await untilText('no heads', '.place', /no token heads/);
    const [, decided = ''] = /probability (\S+)/.exec(await text('.verdict')) ?? [];
    assert.equal(await text('.bars li > span'), decided, 'the likeliest token is the one written');
    await view.locator('.bars').scrollIntoViewIfNeeded();
    await window.screenshot('thresholds-no-heads');
    assert.equal(await view.locator('dynamo-heatmap').count(), 0);
  });

  it('says so when the engine dies, and goes on when it is back', async () => {
    await choose('source', 'cursor');
    for (const pid of enginesOf(server)) process.kill(pid, 'SIGKILL');
    await untilText('died', '#view', /engine ended and starts again|is being loaded/);
    await window.until(
      'the engine again',
      () => view.locator('.banner').count(),
      (count) => count === 0,
    );
    await view.getByText('Look', { exact: true }).last().click();
    await untilText('place', '.where strong', /sum\.py/);
  });

  it('works by keyboard', async () => {
    const heatmap = view.locator('dynamo-heatmap').first();
    await heatmap.focus();
    await window.press('ArrowRight');
    await window.press('ArrowRight');
    await untilText('readout', '#readout', /plain \.?\d/);
    const untilCell = (row: number, column: number) =>
      window.until(
        `cell ${row}, ${column}`,
        () => heatmap.evaluate((element: Element & { spec?: HeatmapSpec }) => element.spec?.here),
        (here) => here?.row === row && here.column === column,
      );
    await untilCell(0, 1);
    // All of them before the page is drawn again.
    await heatmap.evaluate((element) => {
      for (let time = 0; time < 3; time += 1) {
        element.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight' }));
      }
    });
    await untilCell(0, 4);
    await window.press('Escape');
    await untilText('readout', '#readout', /Point at a cell/);
  });

  const THEMES = {
    dark: 'Default Dark Modern',
    light: 'Default Light Modern',
    'high-contrast': 'Default High Contrast',
    'high-contrast-light': 'Default High Contrast Light',
  } as const;
  const useTheme = async (name: keyof typeof THEMES) => {
    await window.page.locator('.view-lines').first().click();
    await window.press('Control+K');
    await window.press('Control+T');
    await window.page.locator('.quick-input-box input').fill(THEMES[name]);
    await window.pick(THEMES[name]);
    await window.until(
      'theme',
      () => view.evaluate(() => document.body.className),
      (classes) => classes.split(' ').includes(`vscode-${name}`),
    );
  };

  for (const name of Object.keys(THEMES) as (keyof typeof THEMES)[]) {
    it(`has no serious fault of accessibility: ${name}`, async () => {
      await useTheme(name);
      await window.screenshot(`thresholds-${name}`);
      assert.deepEqual(await seriousFaults(view), []);
    });
  }

  it('fits 300 pixels', async () => {
    const { page } = window;
    const widths = () =>
      view.evaluate(() => {
        const { clientWidth: room, scrollWidth: taken } = document.documentElement;
        return { room, taken };
      });
    await window.command('View: Toggle Primary Side Bar Visibility');
    // Half of a narrow window; tall, to be looked at as a whole.
    for (let width = 648, found = 0; found < 290 || found > 300; width += 2 * (300 - found)) {
      assert.ok(width > 400 && width < 1000, `${found} pixels in a window of ${width}`);
      await page.setViewportSize({ width, height: 2600 });
      await page.waitForTimeout(500);
      found = (await widths()).room;
    }
    for (const name of ['dark', 'light'] as const) {
      await useTheme(name);
      const { room, taken } = await widths();
      await window.screenshot(`thresholds-narrow-${name}`);
      assert.ok(taken <= room, `${taken} pixels in ${room}`);
    }
    await window.command('View: Toggle Primary Side Bar Visibility');
    await page.setViewportSize({ width: 1500, height: 1000 });
  });

  it('keeps its state when it is hidden and shown again', async () => {
    await choose('layout', 'all');
    await slide('epsilon', 0.37);
    await window.until(
      'a change',
      () => text('label[for="set-epsilon"] output'),
      (value) => value === '0.37',
    );
    await window.page.locator('.tab').filter({ hasText: 'Threshold view' }).click();
    await window.openFile('other.md');
    await window.until(
      'hidden',
      () => window.page.locator('iframe.webview.ready').filter({ visible: true }).count(),
      (count) => count === 0,
    );
    await window.command('DynaMo: Show Thresholds');
    view = await viewFrame(window);
    await untilText('settings', 'label[for="set-epsilon"] output', /^0\.37$/);
    assert.ok(await view.locator('[data-name="layout"] input[value="all"]').isChecked());
  });

  const tabs = () => window.page.locator('.tab').filter({ hasText: 'Threshold view' });
  const isAsLeft = async (epsilon: string) => {
    view = await viewFrame(window);
    await untilText('settings', 'label[for="set-epsilon"] output', new RegExp(`^${epsilon}$`));
    assert.ok(await view.locator('[data-name="layout"] input[value="all"]').isChecked());
    assert.equal(await tabs().count(), 1, 'one view');
  };

  it('keeps its state when it is moved to another group', async () => {
    const active = window.page.locator('.editor-group-container.active .tab.active');
    await tabs().click();
    await window.until(
      'the view in front',
      () => active.allTextContents(),
      (names) => names.join('').includes('Threshold view'),
    );
    const left = view; // VS Code makes another page of it there.
    await window.command('View: Move Editor into Right Group');
    await window.until('the view moved', () => left.isDetached(), Boolean);
    await isAsLeft('0.37');
  });

  it('keeps its state when the window is loaded again', async () => {
    await choose('layout', 'all');
    await slide('epsilon', 0.43);
    await window.page.locator('.view-lines').first().click(); // The view stays in sight.
    await window.reload('"epsilon":0.43');
    await tabs().click();
    await isAsLeft('0.43');
    await view.locator('dynamo-heatmap').first().waitFor();
  });

  it('is the restored view that is shown when it is asked for, not a second one', async () => {
    await choose('layout', 'all');
    await slide('epsilon', 0.57);
    await tabs().click();
    await window.openFile('other.md');
    await window.reload('"epsilon":0.57');
    await openBeside('sum.py');
    await window.command('DynaMo: Show Thresholds');
    await isAsLeft('0.57');
    await view.locator('dynamo-heatmap').first().waitFor();
    await window.type('x'); // The file has kept the focus.
    await window.untilFile('sum.py', (text) => text.trimEnd().endsWith('x'));
  });

  it('leaves no error behind', () => {
    assert.deepEqual(window.errors, []);
  });
});

async function seriousFaults(view: Frame): Promise<string[]> {
  await view.evaluate(readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8'));
  return await view.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(root: Element): Promise<{
          violations: { id: string; impact: string; nodes: { html: string }[] }[];
        }>;
      };
    };
    const { violations } = await axe.run(document.body);
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
  });
}

const same = (one: readonly number[], other: readonly number[]) =>
  one.length === other.length && one.every((value, i) => value === other[i]);
