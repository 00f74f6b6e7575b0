/** One key, and what grey text the page shows after it, frame by frame. */
import type { EditorWindow } from '../../test/editor/harness/window';

/** Grey text, from a moment on. */
export interface Sight {
  /** From the key, ms. */
  readonly ms: number;
  /** All its lines; '' for none. */
  readonly text: string;
}

export interface KeySights {
  /** When the key was pressed, ms since the epoch. */
  readonly at: number;
  /** What was to be seen when the key was pressed, and each change after it. */
  readonly sights: readonly Sight[];
}

/** Without any grey text it is given up after `patience`; else when nothing has changed for `calm`. */
const CALM_MS = 1200;

export async function pressAndWatch(
  window: EditorWindow,
  key: string,
  patience: number,
): Promise<KeySights> {
  const watched = window.page.evaluate(
    ({ calm, patience }) =>
      new Promise<{ at: number; sights: { ms: number; text: string }[] }>((resolve) => {
        const textOf = (nodes: Iterable<Element>) =>
          [...nodes].map((node) => node.textContent ?? '').join('');
        const look = () => {
          const editor = document.querySelector('.monaco-editor.focused') ?? document;
          const inLine = textOf(editor.querySelectorAll('.view-lines .ghost-text-decoration'));
          const below = [...editor.querySelectorAll('.suggest-preview-text .view-line')];
          const lines = [inLine, ...below.map((line) => textOf([line]))];
          return lines.join('\n').replaceAll('\u00a0', ' ');
        };
        const begin = (event: KeyboardEvent) => {
          const began = event.timeStamp;
          const sights = [{ ms: 0, text: look() }];
          const frame = () => {
            const ms = performance.now() - began;
            const text = look();
            const last = sights.at(-1);
            if (last && last.text !== text) sights.push({ ms, text });
            const since = ms - (sights.at(-1)?.ms ?? 0);
            const shown = sights.length > 1 && text !== '';
            if (shown ? since > calm : ms > patience) {
              resolve({ at: performance.timeOrigin + began, sights });
            } else requestAnimationFrame(frame);
          };
          requestAnimationFrame(frame);
        };
        document.addEventListener('keydown', begin, { capture: true, once: true });
      }),
    { calm: CALM_MS, patience },
  );
  // The listener is there once the page has answered something else.
  await window.page.evaluate(() => undefined);
  if (key.length === 1) await window.page.keyboard.type(key);
  else await window.press(key);
  return await watched;
}

/** When the first line, and all of the text, that was there at the end came to be seen, ms. */
export function shownAfter({ sights }: KeySights): { firstLineMs?: number; allMs?: number } {
  const last = sights.at(-1);
  if (!last || last.text === '' || sights.length < 2) return {};
  const firstLine = (text: string) => text.split('\n').find((line) => line.trim() !== '');
  return {
    firstLineMs: since(sights, ({ text }) => firstLine(text) === firstLine(last.text)),
    allMs: since(sights, ({ text }) => text === last.text),
  };
}

/** From when on all sights after the key's own fit. */
function since(sights: readonly Sight[], fits: (sight: Sight) => boolean): number {
  let from = sights.length;
  while (from > 1 && sights[from - 1] && fits(sights[from - 1] as Sight)) from -= 1;
  return sights[from]?.ms ?? NaN;
}
