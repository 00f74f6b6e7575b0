/**
 * The threshold view's page: takes messages, keeps the state, draws. It computes what it shows from
 * the engine's inspections with src/decoding/, so moving a control needs no model run.
 */
import { html, render } from 'lit';
import { guard } from 'lit/directives/guard.js';
import '@vscode-elements/elements/dist/vscode-button/index.js';
import '@vscode-elements/elements/dist/vscode-checkbox/index.js';
import '@vscode-elements/elements/dist/vscode-textarea/index.js';
import './styles';
import { readToPage, type ToHost } from './messages';
import type { Page } from './page';
import { completionPart } from './parts/completion';
import { controlsPart } from './parts/controls';
import { countersPart } from './parts/counters';
import { headerPart } from './parts/header';
import { placePart } from './parts/place';
import './parts/plot-element';
import { addShades } from './parts/shades';
import { sweepPart } from './parts/sweep';
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
/** Whether what is kept has changed since it was handed over. */
let unsaved = false;
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
  lookAtStep(active) {
    change({ ...state, active });
    page.send({ type: 'inspect', place: { kind: 'step', ...active } });
  },
  showAll(completion) {
    change({ ...state, everything: completion });
  },
};

function change(next: PageState): void {
  if (next.kept !== state.kept) unsaved = true;
  state = next;
  draw();
}

/** Draws, and keeps what is to be kept, once a frame at most. */
function draw(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    if (unsaved) vscode.setState(state.kept);
    unsaved = false;
    if (root) render(view(root.clientWidth), root);
    root?.setAttribute('data-drawn', '');
  });
}

/** A part is drawn anew when what it shows has changed: a slider's moves leave most of them alone. */
function view(width: number) {
  const { host, seen, editor, everything, tried, trying, notTried, active } = state;
  const { sweep, card, counters } = state;
  const wide = width >= 820;
  const shape = wide ? 'wide' : width < 400 ? 'narrow tiny' : 'narrow';
  // The picture's column: without the controls beside it, and its own margins.
  const room = Math.max(240, width - 32 - (wide ? 296 : 0));
  const settings = settingsOf(state);
  const steps = [editor, everything, tried, trying, notTried, state.kept.colour, active];
  const sweeping = [sweep, card, settings?.epsilon, host?.model];
  return html`${guard([host, seen], () => headerPart(page))}
    <main class=${shape}>
      <div class="place">${placePart(page, room)}</div>
      ${guard([settings, host, seen], () => controlsPart(page))}
      <div class="rest">
        ${guard(steps, () => completionPart(page))} ${guard(sweeping, () => sweepPart(page))}
        ${guard([counters], () => countersPart(page))}
      </div>
    </main>`;
}

window.addEventListener('message', (event: MessageEvent<unknown>) => {
  const message = readToPage(event.data);
  if (!message) return;
  const before = state.host?.saved;
  const { trying } = state;
  change(told(state, message));
  // Another completion has come: what was asked of the one before is asked of it.
  if (trying && message.type === 'completion' && message.completion.origin === 'editor') {
    page.set({});
  }
  // Saved settings that change elsewhere change what is tried, too.
  if (message.type === 'state' && before && state.host && state.kept.settings === undefined) {
    if (differences(before, state.host.saved).length > 0) {
      state = { ...state, tried: undefined, trying: false };
      draw();
    }
  }
});
new ResizeObserver(draw).observe(root);
addShades();
draw();
page.send({ type: 'ready' });
