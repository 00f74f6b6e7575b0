/**
 * The colours of heatmap and steps: 33 tones between three colours that the style sheet takes from the
 * theme. A style sheet made here is allowed by the strictest policy; a style attribute is not.
 */
import { TONES } from './heatmap';

export function addTones(): void {
  const sheet = new CSSStyleSheet();
  for (let tone = 0; tone <= TONES; tone++) {
    const share = tone / TONES;
    const low = share < 0.5;
    const [from, to] = low ? ['--tone-0', '--tone-1'] : ['--tone-1', '--tone-2'];
    const part = 100 * (low ? 2 * share : 2 * share - 1);
    sheet.insertRule(
      `.tone-${tone} { fill: color-mix(in oklab, var(${from}), var(${to}) ${part}%); }`,
    );
  }
  for (let shade = 0; shade <= 10; shade++) {
    const tint = `color-mix(in oklab, var(--tone-1) ${6 * shade}%, transparent)`;
    sheet.insertRule(
      `.by-confidence .shade-${shade}, .by-time .shade-${shade} { background: ${tint}; }`,
    );
  }
  sheet.insertRule(
    '.by-step .shade-10 { background: color-mix(in oklab, var(--fore) 12%, transparent); }',
  );
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
}
