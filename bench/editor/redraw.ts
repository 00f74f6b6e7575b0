/**
 * What a move of a slider in the threshold view costs in a real VS Code: from the move's event to the
 * frame that shows it, computing, drawing, style, layout and paint included, waiting for the display's
 * next frame not. The places are those of real models; the page is full, with a completion and a sweep.
 *
 *   npm run bench:editor -- redraw [MOVES]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Frame } from 'playwright-core';
import type { ToPage, ViewCompletion, ViewSweep } from '../../media/thresholds/messages';
import type { Inspection } from '../../src/engine/inspection';
import { Desk } from '../../test/editor/harness/desk';
import { inspectDirectly } from '../../test/editor/harness/inspect';
import { viewFrame } from '../../test/editor/harness/view';

/** One way to look at a place, and the slider that moves. */
interface Case {
  readonly model: string;
  readonly order: number;
  readonly layout: 'cut' | 'all';
  readonly size: number;
  /** `none`: a frame without a move, for what the measuring itself takes. */
  readonly slider: 'none' | 'epsilon' | 'alpha' | 'temperature';
}

/** ms of each move. */
interface Row extends Case {
  /** The event's handler and the frame's own callback. */
  readonly script: readonly number[];
  /** Those, and style, layout and paint. */
  readonly work: readonly number[];
}

const PLACES = [
  { id: 'smollm2-135m', heads: 'independent', prompt: 'Please explain' },
  {
    id: 'qwen2.5-coder-0.5b',
    heads: 'shared',
    prompt: 'def read_json(path):\n    with open(path) as',
  },
] as const;

/** What a frame may take, ms. */
const FRAME_MS = 16;
const MOVES = Number(process.argv[2] ?? 60);

function casesOf({ model, proposal }: Inspection): Case[] {
  const sliders = ['none', 'epsilon', 'temperature', 'alpha'] as const;
  // Chained heads have no mask to weigh.
  const moved = proposal.kind === 'chained' ? sliders.slice(0, 3) : sliders;
  return [2, 3].flatMap((order) =>
    (['cut', 'all'] as const).flatMap((layout) =>
      [10, 20].flatMap((size) => moved.map((slider) => ({ model, order, layout, size, slider }))),
    ),
  );
}

async function main(): Promise<void> {
  const inspections: Inspection[] = [];
  for (const { id, prompt, heads } of PLACES) {
    inspections.push(await inspectDirectly(id, prompt, heads));
  }
  const desk = await Desk.open({ settings: { 'dynamo.enable': false } });
  const rows: Row[] = [];
  try {
    // With no file beside it, the view has the whole window.
    const window = await desk.window();
    await window.page.setViewportSize({ width: 1920, height: 1200 });
    await window.command('DynaMo: Show Thresholds');
    const view = await viewFrame(window);
    await view.locator('input[data-setting="epsilon"]').waitFor();
    const told: ToPage[] = [
      { type: 'completion', completion: completion() },
      { type: 'sweep', sweep: sweep() },
    ];
    for (const inspection of inspections) {
      told.push({ type: 'inspection', where: 'bench', place: 'prompt', inspection });
      for (const each of casesOf(inspection)) {
        for (const message of told.splice(0)) await tell(view, message);
        await prepare(view, each);
        rows.push({ ...each, ...(await move(view, each.slider)) });
        console.log(lineOf(rows.at(-1) as Row));
      }
    }
    await window.screenshot('bench-redraw');
  } finally {
    await desk.close();
  }
  const machine = { cpu: cpus()[0]?.model ?? '', cores: cpus().length, frameMs: FRAME_MS };
  mkdirSync('out', { recursive: true });
  const lines = [{ kind: 'redraw', version: 1, moves: MOVES, ...machine }, ...rows];
  writeFileSync('out/redraw.jsonl', lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const slow = rows.filter(({ work }) => quantile(work, 0.95) > FRAME_MS);
  console.log(`${rows.length - slow.length} of ${rows.length} cases within ${FRAME_MS} ms (p95)`);
}

const tell = (view: Frame, message: ToPage) =>
  view.evaluate((said) => globalThis.postMessage(said, '*'), message);

/** Chooses order, layout and size as a user does, and lets the page come to rest. */
async function prepare(view: Frame, { order, layout, size }: Case): Promise<void> {
  for (const [name, value] of Object.entries({ order, layout, size })) {
    const choice = view.locator(`[data-name="${name}"] input[value="${value}"]`);
    await choice.evaluate((input: HTMLInputElement) => input.click());
  }
  for (const [name, value] of Object.entries({ epsilon: 0.1, alpha: 1, temperature: 0.7 })) {
    const slider = view.locator(`input[data-setting="${name}"]`);
    if (await slider.isEnabled()) await slider.fill(String(value));
  }
  await view.page().waitForTimeout(600);
}

/** Moves the slider once a frame, up and down its range. */
async function move(view: Frame, name: string): Promise<Pick<Row, 'script' | 'work'>> {
  return await view.evaluate(
    async ({ slider, moves }) => {
      const moved = slider === 'none' ? 'epsilon' : slider;
      const input = document.querySelector<HTMLInputElement>(`input[data-setting="${moved}"]`);
      if (!input) throw new Error(`There is no slider ${slider}.`);
      const [low, high] = [Number(input.min), Number(input.max)];
      const script: number[] = [];
      const work: number[] = [];
      const channel = new MessageChannel();
      const painted = () =>
        new Promise<number>((resolve) => {
          channel.port1.onmessage = () => resolve(performance.now());
          channel.port2.postMessage(0);
        });
      const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve));
      for (let i = 0; i < moves; i++) {
        await frame();
        await painted();
        const turn = (2 * i) / moves;
        const value = String(low + (high - low) * (turn <= 1 ? turn : 2 - turn));
        // The first callback of the frame says when it begins, the last one when scripts are done.
        let began = 0;
        requestAnimationFrame(() => (began = performance.now()));
        const before = performance.now();
        if (slider !== 'none') {
          input.value = value;
          input.dispatchEvent(new Event('input', { bubbles: true }));
        }
        const handled = performance.now() - before;
        const drawn = new Promise<number>((resolve) =>
          requestAnimationFrame(() => {
            const scripted = performance.now() - began;
            void painted().then((end) => {
              script.push(handled + scripted);
              resolve(handled + end - began);
            });
          }),
        );
        work.push(await drawn);
      }
      const round = (ms: number) => Math.round(ms * 100) / 100;
      return { script: script.map(round), work: work.map(round) };
    },
    { slider: name, moves: MOVES },
  );
}

/** Sixty tokens in forty steps. */
function completion(): ViewCompletion {
  const step = { source: 'head', confidence: 0.8, rows: 3, ms: 30, rejected: ' x' } as const;
  return {
    ...{ origin: 'editor', where: 'bench.py:1:1', mode: 'fast', model: 'm', stopReason: 'length' },
    ...{ tokens: 60, promptTokens: 100, reusedTokens: 0, prefillMs: 90, decodeMs: 1200 },
    steps: Array.from({ length: 40 }, (_, i) => ({ ...step, n: 1 + (i % 2), text: `word${i} ` })),
    text: 'word',
    steppable: true,
  };
}

function sweep(): ViewSweep {
  const points = Array.from({ length: 11 }, (_, i) => ({
    ...{ epsilon: i / 10, tokensPerStep: 2 - i / 10, speedup: 1.5, agreement: 0.9 + i / 100 },
  }));
  return { status: 'done', where: 'bench.py', places: 8, done: 96, total: 96, points };
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(q * sorted.length) - 1] ?? NaN;
}

function lineOf({ model, order, layout, size, slider, script, work }: Row): string {
  const [s, p50, p95, most] = [
    quantile(script, 0.5),
    quantile(work, 0.5),
    quantile(work, 0.95),
    Math.max(...work),
  ].map((ms) => ms.toFixed(1).padStart(5));
  const what = `${model} · ${order} tokens · ${layout} · ${size} · ${slider}`;
  return `${what.padEnd(58)} script ${s} · work p50 ${p50} p95 ${p95} max ${most} ms`;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
