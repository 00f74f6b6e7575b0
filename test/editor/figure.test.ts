/**
 * The paper's Figure 11 in the view, in a real VS Code with the model that it is about. The README's
 * docs/threshold-view.png is the picture that this test leaves in out/screenshots/.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Frame } from 'playwright-core';
import type { ViewSettings } from '../../media/thresholds/messages';
import { optionsOf, placeOf } from '../../media/thresholds/model/options';
import { tone } from '../../media/thresholds/model/scale';
import { pictureOf, type Picture } from '../../src/decoding/picture';
import type { Inspection } from '../../src/engine/inspection';
import { Desk } from './harness/desk';
import { inspectDirectly } from './harness/inspect';
import { drawnCells, viewFrame } from './harness/view';
import type { EditorWindow } from './harness/window';

const MODEL = 'smollm2-135m';
/** The paper's kind: J is the product of what they say, and the mask counts. */
const HEADS = 'independent';
const PROMPT = 'Please explain';
const WAYS = 10;
/** Around the picture, pixels. */
const MARGIN = 12;
const SCREENSHOTS = join('out', 'screenshots');
const SETTINGS: ViewSettings = {
  ...{ mode: 'fast', epsilon: 0.1, useOtsu: true, useBlur: true, alpha: 1, topK: 50 },
  ...{ temperature: 0.7, chains: 1, penalty: 1.1, lookup: true },
};

interface Expected {
  readonly key: string;
  readonly title: string;
  readonly settings: Partial<ViewSettings>;
  readonly value: (picture: Picture, place: number) => number | undefined;
}

const plain: Expected['value'] = ({ plain: values }, place) => values[place];
const masked: Expected['value'] = ({ masked: values }, place) => values[place];
const left: Expected['value'] = (picture, place) => picture.leftAt(place);
const PANELS: readonly Expected[] = [
  { key: 'plain', title: 'Plain', settings: {}, value: plain },
  { key: 'half', title: 'Masked, α 0.5', settings: { alpha: 0.5 }, value: masked },
  { key: 'masked', title: 'Masked, α 1', settings: {}, value: masked },
  { key: 'sharp', title: 'Thresholded, no blur', settings: { useBlur: false }, value: left },
  { key: 'blurred', title: 'Thresholded, blur', settings: {}, value: left },
];

describe('Figure 11 in the threshold view', () => {
  let desk: Desk;
  let window: EditorWindow;
  let view: Frame;
  let asked: Inspection;

  before(async () => {
    asked = await inspectDirectly(MODEL, PROMPT, HEADS);
    const theme = { 'workbench.colorTheme': 'Default Light Modern' };
    const chosen = { 'dynamo.model': MODEL, 'dynamo.heads': HEADS, 'dynamo.mode': 'fast' };
    const settings = { ...chosen, ...theme };
    desk = await Desk.open({ settings });
    // With no file beside it, the view has the whole window.
    window = await desk.window();
    await window.page.setViewportSize({ width: 1500, height: 1300 });
    await window.command('DynaMo: Show Thresholds');
    view = await viewFrame(window);
    await view.locator('input[data-setting="epsilon"]').waitFor();
  });

  after(() => desk.close());

  const choose = (name: string, value: string) =>
    view.locator(`[data-name="${name}"] input[value="${value}"]`).check();

  it('shows five panels of ten tokens each way behind "Please explain"', async () => {
    await choose('source', 'prompt');
    await view.locator('vscode-textarea').locator('textarea').fill(PROMPT);
    await view.getByText('Look', { exact: true }).last().click();
    await view.locator('dynamo-heatmap').first().waitFor();
    assert.match(await view.locator('header').innerText(), /smollm2-135m/);
    assert.match(await view.locator('.where').innerText(), /Behind your text\s+Please explain/);
    for (const name of ['epsilon', 'alpha'] as const) {
      await view.locator(`input[data-setting="${name}"]`).fill(String(SETTINGS[name]));
    }
    await choose('layout', 'all');
    await choose('size', String(WAYS));
    const titles = view.locator('.panel figcaption');
    await window.until(
      'panels',
      () => titles.allInnerTexts(),
      (seen) => seen.length === 5,
    );
    assert.deepEqual(
      await titles.allInnerTexts(),
      PANELS.map(({ title }) => title),
    );
    for (const { key } of PANELS) {
      assert.equal((await drawnCells(view, key)).length, WAYS * WAYS, key);
    }
    mkdirSync(SCREENSHOTS, { recursive: true });
    const box = await view.locator('.place').boundingBox();
    assert.ok(box);
    const [x, y] = [box.x - MARGIN, box.y - MARGIN];
    const clip = { x, y, width: box.width + 2 * MARGIN, height: box.height + 2 * MARGIN };
    await window.page.screenshot({ path: join(SCREENSHOTS, 'threshold-view.png'), clip });
  });

  for (const { key, title, settings, value } of PANELS) {
    it(`draws what the engine and the decoder say: ${title}`, async () => {
      const place = placeOf(asked);
      const options = { ...optionsOf({ ...SETTINGS, ...settings }), table: place.table };
      const picture = pictureOf(place.proposal, asked.recent, options, 2);
      assert.ok(picture);
      const cells = await drawnCells(view, key);
      const colours = new Map<string, string>();
      for (const cell of cells) {
        const expected: number = value(picture, cell.place) ?? NaN;
        assert.ok(
          Math.abs(cell.value - expected) <= 1e-6 * Math.max(1e-3, expected),
          `${cell.value} ${expected}`,
        );
        const shade = expected > 0 ? String(tone(expected)) : 'none';
        const known = colours.get(shade) ?? cell.colour.join();
        assert.equal(cell.colour.join(), known, `a colour for each shade, ${expected}`);
        colours.set(shade, known);
      }
      assert.equal(new Set(colours.values()).size, colours.size, 'no two shades look the same');
      assert.ok(colours.size > 2, 'several shades');
    });
  }

  it('leaves no error behind', () => {
    assert.deepEqual(window.errors, []);
  });
});
