/**
 * The threshold view's page: takes messages, keeps the state, draws. It computes what it shows from
 * the engine's inspections with src/decoding/, so moving a control needs no model run.
 */
import { html, render } from 'lit';
import '@vscode-elements/elements/dist/vscode-button/index.js';
import '@vscode-elements/elements/dist/vscode-checkbox/index.js';
import '@vscode-elements/elements/dist/vscode-textarea/index.js';
import 'uplot/dist/uPlot.min.css';
import './style.css';
import { readToPage, type ToHost } from './messages';
import type { Page } from './page';
import { completionPart } from './parts/completion';
import { controlsPart } from './parts/controls';
import { countersPart } from './parts/counters';
import { headerPart } from './parts/header';
import { placePart } from './parts/place';
import './parts/plot-element';
import { sweepPart } from './parts/sweep';
import { addTones } from './parts/tones';
import { differences, freshState, settingsOf, told, withSettings, type PageState } from './state';

declare function acquireVsCodeApi(): {
  postMessage(message: ToHost): void;
  getState(): unknown;
  setState(state: unknown): void;
};

/** From the last move of a control to decoding again. */
const TRY_AFTER_MS = 350;

const vscode = acquireVsCodeApi();
const root = document.getElementById('view');
if (!root) throw new Error('The page has no place for the view.');
let state: PageState = freshState(vscode.getState());
let drawing = false;
let tryTimer: ReturnType<typeof setTimeout> | undefined;

const page: Page = {
  get state() {
    return state;
  },
  send: (message) => vscode.postMessage(message),
  keep(by) {
    change({ ...state, kept: { ...state.kept, ...by } });
  },
  set(by) {
    const now = settingsOf(state);
    if (!now || !state.host) return;
    const settings = { ...now, ...by };
    const own = differences(settings, state.host.saved).length > 0;
    change({
      ...state,
      trying: state.editor !== undefined,
      kept: withSettings(state.kept, own ? settings : undefined),
    });
    clearTimeout(tryTimer);
    tryTimer = setTimeout(() => page.send({ type: 'try', settings }), TRY_AFTER_MS);
  },
  point(cell) {
    if (cell === state.cell) return;
    state = { ...state, cell };
    draw();
  },
  look() {
    const { source, prompt } = state.kept;
    const place = source === 'cursor' ? { kind: source } : { kind: source, prompt };
    page.send({ type: 'inspect', place });
  },
  lookAtStep(step) {
    page.send({ type: 'inspect', place: { kind: 'step', step } });
  },
};

function change(next: PageState): void {
  state = next;
  vscode.setState(state.kept);
  draw();
}

/** Draws once a frame at most. */
function draw(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    if (!root) return;
    const wide = root.clientWidth >= 820;
    // The picture's column: without the controls beside it, and its own margins.
    const width = Math.max(240, root.clientWidth - 32 - (wide ? 296 : 0));
    render(
      html`${headerPart(page)}
        <main class=${wide ? 'wide' : root.clientWidth < 400 ? 'narrow tiny' : 'narrow'}>
          <div class="place">${placePart(page, width)}</div>
          ${controlsPart(page)}
          <div class="rest">${completionPart(page)} ${sweepPart(page)} ${countersPart(page)}</div>
        </main>`,
      root,
    );
    root.dataset['drawn'] = String(performance.now());
  });
}

window.addEventListener('message', (event: MessageEvent<unknown>) => {
  const message = readToPage(event.data);
  if (!message) return;
  const before = state.host?.saved;
  change(told(state, message));
  // Saved settings that change elsewhere change what is tried, too.
  if (message.type === 'state' && before && state.host && state.kept.settings === undefined) {
    if (differences(before, state.host.saved).length > 0) {
      state = { ...state, tried: undefined, trying: false };
      draw();
    }
  }
});
new ResizeObserver(draw).observe(root);
addTones();
draw();
page.send({ type: 'ready' });
