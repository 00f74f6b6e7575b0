/**
 * The least that a plot needs: a frame with axes, in colours that are readable on light and dark pages.
 * Pure; numbers in, SVG out.
 */
export interface Axis {
  readonly label: string;
  readonly low: number;
  readonly high: number;
  readonly format: (value: number) => string;
}

export interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Its own background: an image does not know the page that it stands on. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 14px; }
  .small { font-size: 11px; }
  .page { fill: #ffffff; }
  .grid { stroke: #d1d9e0; }
  .rule { stroke: #59636e; stroke-dasharray: 5 4; fill: none; }
  .muted { fill: #59636e; }
  .a { fill: #0969da; } .b { fill: #bc4c00; } .c { fill: #1a7f37; } .d { fill: #8250df; }
  .line { stroke: #0969da; fill: none; stroke-width: 1.5; }
  .bar { stroke: #0969da; stroke-width: 1.2; opacity: .6; }
  .whisker { stroke: #1f2328; stroke-width: 1.2; }
  .ring { stroke: #bc4c00; fill: none; stroke-width: 2.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .page { fill: #0d1117; }
    .grid { stroke: #3d444d; }
    .rule { stroke: #9198a1; }
    .muted { fill: #9198a1; }
    .a { fill: #4493f8; } .b { fill: #f0883e; } .c { fill: #3fb950; } .d { fill: #ab7df8; }
    .line, .bar { stroke: #4493f8; }
    .whisker { stroke: #f0f6fc; }
    .ring { stroke: #f0883e; }
  }
`;

/** Classes of the fills, in order. */
export const FILLS = ['a', 'b', 'c', 'd'] as const;

export function svg(width: number, height: number, title: string, body: readonly string[]): string {
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escape(title)}">`,
    `<title>${escape(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="page" width="${width}" height="${height}" rx="6"/>`,
    text(16, 24, title, { class: 'title' }),
    ...body,
    '</svg>',
  ].join('\n')}\n`;
}

export function text(
  x: number,
  y: number,
  content: string,
  attributes: Readonly<Record<string, string>> = {},
): string {
  const own = Object.entries(attributes).map(([name, value]) => ` ${name}="${escape(value)}"`);
  return `<text x="${at(x)}" y="${at(y)}"${own.join('')}>${escape(content)}</text>`;
}

export const line = (x1: number, y1: number, x2: number, y2: number, name: string): string =>
  `<line class="${name}" x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}"/>`;

export const circle = (x: number, y: number, r: number, name: string): string =>
  `<circle class="${name}" cx="${at(x)}" cy="${at(y)}" r="${r}"/>`;

export const box = (x: number, y: number, width: number, height: number, name: string): string =>
  `<rect class="${name}" x="${at(x)}" y="${at(y)}" width="${at(Math.max(0, width))}" height="${at(Math.max(0, height))}"/>`;

/** A function from an axis's values to pixels. */
export function scale({ low, high }: Pick<Axis, 'low' | 'high'>, from: number, to: number) {
  return (value: number): number => from + ((value - low) / (high - low)) * (to - from);
}

/** Round values within an axis, about so many. */
export function ticks({ low, high }: Pick<Axis, 'low' | 'high'>, about = 5): number[] {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? rough;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** An axis that holds all values with some room, and `also`. */
export function span(values: readonly number[], also: readonly number[] = []): [number, number] {
  const all = [...values, ...also].filter(Number.isFinite);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = 0.08 * (high - low || 1);
  return [low - room, high + room];
}

/** Grid, ticks and names of both axes. */
export function axes({ left, top, width, height }: Frame, x: Axis, y: Axis): string[] {
  const [toX, toY] = [scale(x, left, left + width), scale(y, top + height, top)];
  return [
    ...ticks(x).flatMap((value) => [
      line(toX(value), top, toX(value), top + height, 'grid'),
      text(toX(value), top + height + 18, x.format(value), { 'text-anchor': 'middle' }),
    ]),
    ...ticks(y).flatMap((value) => [
      line(left, toY(value), left + width, toY(value), 'grid'),
      text(left - 8, toY(value) + 4, y.format(value), { 'text-anchor': 'end' }),
    ]),
    text(left + width / 2, top + height + 38, x.label, { 'text-anchor': 'middle' }),
    text(left - 8, top - 10, y.label, { class: 'muted' }),
  ];
}

const at = (value: number): string => String(Math.round(value * 10) / 10);

const escape = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
