/**
 * The shades of steps, between colours that the style sheet takes from the theme. A style sheet made
 * here is allowed by the strictest policy; a style attribute is not.
 */

export function addShades(): void {
  const sheet = new CSSStyleSheet();
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
