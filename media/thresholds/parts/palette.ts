/**
 * The theme's colours for what is drawn on a canvas, read once a theme: asking the page for a style
 * while it is being drawn makes the browser work out all styles at once.
 */
import { TONES } from '../model/scale';

const colours = new Map<string, string>();
const listeners = new Set<() => void>();
let families: { readonly text: string; readonly mono: string } | undefined;

/** The value of a CSS variable of the page. */
export function colour(name: string): string {
  let known = colours.get(name);
  if (known === undefined) {
    known = getComputedStyle(document.body).getPropertyValue(name).trim() || '#888';
    colours.set(name, known);
  }
  return known;
}

export function fonts(): { readonly text: string; readonly mono: string } {
  families ??= { text: getComputedStyle(document.body).fontFamily, mono: colour('--mono') };
  return families;
}

/** The colour of a tone of the scale, from nothing over likely to certain. */
export function toneColour(tone: number): string {
  const share = tone / TONES;
  const [from, to] = share < 0.5 ? ['--tone-0', '--tone-1'] : ['--tone-1', '--tone-2'];
  const part = 100 * (share < 0.5 ? 2 * share : 2 * share - 1);
  return `color-mix(in oklab, ${colour(from)}, ${colour(to)} ${part}%)`;
}

/** @returns what ends it */
export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const observer = new MutationObserver(() => {
  colours.clear();
  families = undefined;
  for (const listener of listeners) listener();
});
observer.observe(document.body, { attributes: true, attributeFilter: ['class'] });
observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style'] });
