/** What each part of fast mode brings at one ε_b: bars of speed-up, and of quality against plain decoding. */
import { ablationOf, type RunFigures } from '../figures';
import { MEASURE_NAMES } from '../scores';
import { box, line, scale, span, svg, text, ticks } from './svg';

const LABELS = 200;
const PANEL = 210;
const GAP = 56;
const ROW = 30;
const TOP = 76;

/** Undefined when nothing was switched. */
export function ablationPlot(run: RunFigures): string | undefined {
  const points = ablationOf(run);
  if (points.length === 0) return undefined;
  const { measure } = run;
  const bottom = TOP + points.length * ROW;
  const speeds = points.map(({ figures }) => figures.speedUp);
  const speed = panel(LABELS, Math.max(0, ...speeds) * 1.1, 0, (value) => value.toFixed(1), bottom);
  const body = [
    text(LABELS, TOP - 18, 'speed-up, ×', { class: 'muted' }),
    ...speed.grid,
    ...points.flatMap(({ mode, figures, epsilon }, i) => {
      const y = TOP + i * ROW;
      const { low, high } = figures.speedUpInterval;
      return [
        text(LABELS - 10, y + 19, shortName(mode, epsilon), { 'text-anchor': 'end' }),
        box(speed.to(0), y + 6, speed.to(figures.speedUp) - speed.to(0), ROW - 12, 'a'),
        line(speed.to(low), y + ROW / 2, speed.to(high), y + ROW / 2, 'whisker'),
      ];
    }),
  ];
  if (measure) {
    const scores = points.flatMap(({ scores: all }) => all[measure] ?? []);
    const ends = scores.flatMap(({ interval }) => [interval.low, interval.high]);
    const [low, high] = span(ends, [0]);
    const left = LABELS + PANEL + GAP;
    const quality = panel(left, high, low, (value) => (100 * value).toFixed(0), bottom);
    body.push(
      text(left, TOP - 18, `${MEASURE_NAMES[measure]}, points from plain`, { class: 'muted' }),
      ...quality.grid,
      line(quality.to(0), TOP, quality.to(0), bottom, 'rule'),
      ...points.flatMap(({ scores: all }, i) => {
        const score = all[measure];
        if (!score) return [];
        const y = TOP + i * ROW;
        const [from, to] = [quality.to(0), quality.to(score.difference)];
        const { interval } = score;
        return [
          box(Math.min(from, to), y + 6, Math.abs(to - from), ROW - 12, 'b'),
          line(
            quality.to(interval.low),
            y + ROW / 2,
            quality.to(interval.high),
            y + ROW / 2,
            'whisker',
          ),
        ];
      }),
    );
  }
  const title = `${run.header.model}, ${run.kind}: parts of fast mode, ${run.tasks} tasks`;
  return svg(LABELS + 2 * PANEL + GAP + 40, bottom + 60, title, [
    ...body,
    text(16, bottom + 46, 'Lines: 95 % intervals.', { class: 'small muted' }),
  ]);
}

function panel(
  left: number,
  high: number,
  low: number,
  format: (value: number) => string,
  bottom: number,
) {
  const to = scale({ low, high }, left, left + PANEL);
  const grid = ticks({ low, high }, 4).flatMap((value) => [
    line(to(value), TOP, to(value), bottom, 'grid'),
    text(to(value), bottom + 18, format(value), { 'text-anchor': 'middle' }),
  ]);
  return { to, grid };
}

const shortName = (mode: string, epsilon: number | undefined): string =>
  epsilon === undefined
    ? mode.slice(mode.indexOf(',') + 1).replaceAll(',', ', ')
    : `as it is, ε ${epsilon}`;
