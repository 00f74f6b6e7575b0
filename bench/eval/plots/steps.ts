/** Shares of steps with 1, 2, 3 and more tokens over ε_b, as stacked columns. */
import { sweepOf, type RunFigures } from '../figures';
import { box, FILLS, line, scale, svg, text, ticks, type Frame } from './svg';

const FRAME: Frame = { left: 64, top: 76, width: 560, height: 240 };

/** Undefined when there is no sweep. */
export function stepsPlot(run: RunFigures): string | undefined {
  const sweep = sweepOf(run);
  if (sweep.length === 0) return undefined;
  const { left, top, width, height } = FRAME;
  const toY = scale({ low: 0, high: 1 }, top + height, top);
  const slot = width / sweep.length;
  const longest = Math.max(...sweep.map(({ shares }) => shares.length));
  const columns = sweep.flatMap(({ epsilon, shares, figures }, i) => {
    const x = left + i * slot + slot * 0.15;
    let below = 0;
    const parts = shares.map((share, n) => {
      const part = box(x, toY(below + share), slot * 0.7, toY(below) - toY(below + share), fill(n));
      below += share;
      return part;
    });
    const middle = { 'text-anchor': 'middle' };
    return [
      ...parts,
      text(x + slot * 0.35, top + height + 18, String(epsilon), middle),
      text(x + slot * 0.35, top - 6, figures.tokensPerStep.toFixed(2), {
        ...middle,
        class: 'small muted',
      }),
    ];
  });
  const legend = Array.from({ length: longest }, (_, n) => [
    box(left + n * 96, top + height + 52, 12, 12, fill(n)),
    text(left + n * 96 + 18, top + height + 62, `${n + 1} token${n === 0 ? '' : 's'}`),
  ]).flat();
  const title = `${run.header.model}, ${run.kind}: tokens of a step over ε_b`;
  return svg(left + width + 40, top + height + 84, title, [
    ...ticks({ low: 0, high: 1 }).flatMap((value) => [
      line(left, toY(value), left + width, toY(value), 'grid'),
      text(left - 8, toY(value) + 4, `${Math.round(100 * value)} %`, { 'text-anchor': 'end' }),
    ]),
    ...columns,
    text(left - 8, top - 24, 'share of steps; above: tokens a step', { class: 'muted' }),
    text(left + width / 2, top + height + 38, 'ε_b', { 'text-anchor': 'middle' }),
    ...legend,
  ]);
}

const fill = (n: number): string => FILLS[Math.min(n, FILLS.length - 1)] ?? 'a';
