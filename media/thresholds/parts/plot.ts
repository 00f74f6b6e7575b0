/** The view's plots: the histogram of J, the time of each step, the sweep. */
import { html, type TemplateResult } from 'lit';
import type { OrderTrace } from '../../../src/decoding/cut';
import type { SweepPoint, ViewStep } from '../messages';
import { BINS, format, LOWEST, type Histogram } from '../model/scale';
import type { PlotSpec } from './plot-element';
import { lastOf } from '../model/memo';

/** Counts are drawn as log10(1 + n): one cell must be seen beside a thousand. */
const squeeze = (count: number) => Math.log10(1 + count);

const histogramSpec = lastOf((h: Histogram, trace: OrderTrace): PlotSpec => {
  const { staticThreshold, adaptiveThreshold, order } = trace;
  const name = order === 3 ? 'ε²' : 'ε';
  const marks = [
    { x: staticThreshold, label: `${name} ${format(staticThreshold)}`, colour: '--static' },
    ...(adaptiveThreshold === undefined
      ? []
      : [{ x: adaptiveThreshold, label: `Otsu ${format(adaptiveThreshold)}`, colour: '--otsu' }]),
  ].filter(({ x }) => x >= 10 ** LOWEST);
  return {
    label: `Histogram of J on a logarithmic scale; ${h.zeros} cells lie below 0.00001.`,
    height: 130,
    x: h.edges.map((edge) => edge - LOWEST / BINS / 2),
    xRange: [LOWEST, 0],
    xTicks: [-5, -4, -3, -2, -1, 0],
    xText: (x) => ['10⁻⁵', '10⁻⁴', '.001', '.01', '.1', '1'][Math.round(x) + 5] ?? '',
    yTicks: [1, 10, 100, 1000, 10_000, 100_000].map(squeeze),
    yText: (y) => String(Math.round(10 ** y - 1)),
    series: [
      { label: 'all', kind: 'bars', colour: '--bar', values: h.counts.map(squeeze) },
      { label: 'survive', kind: 'bars', colour: '--survive', values: h.survivors.map(squeeze) },
    ],
    marks: marks.map((mark) => ({ ...mark, x: Math.log10(mark.x) })),
  };
});

export function histogramPlot(h: Histogram, trace: OrderTrace): TemplateResult {
  return html`<figure class="plot">
    <figcaption>
      Cells of J by value: <span class="key bar-key"></span> all
      <span class="key survive-key"></span> that survive
      <span class="muted">(${h.zeros.toLocaleString('en')} more lie below 10⁻⁵)</span>
    </figcaption>
    <dynamo-plot .spec=${histogramSpec(h, trace)}></dynamo-plot>
  </figure>`;
}

const stepsSpec = lastOf((steps: readonly ViewStep[]): PlotSpec => {
  const x = steps.map((_, step) => step + 1);
  return {
    label: `Milliseconds of each of ${steps.length} steps.`,
    height: 90,
    x,
    xRange: [0.25, Math.max(2, steps.length + 0.75)],
    xText: (at) => (Number.isInteger(at) ? String(at) : ''),
    yText: (y) => `${y} ms`,
    series: [{ label: 'ms', kind: 'bars', colour: '--bar', values: steps.map(({ ms }) => ms) }],
  };
});

export const stepsPlot = (steps: readonly ViewStep[]): TemplateResult =>
  html`<dynamo-plot .spec=${stepsSpec(steps)}></dynamo-plot>`;

const sweepSpec = lastOf(
  (points: readonly SweepPoint[], card: readonly SweepPoint[], epsilon: number): PlotSpec => {
    const sorted = [...points].sort((a, b) => a.epsilon - b.epsilon);
    const x = [...new Set([...sorted, ...card].map((point) => point.epsilon))].sort(
      (a, b) => a - b,
    );
    const at = (from: readonly SweepPoint[], key: 'tokensPerStep' | 'speedup' | 'agreement') =>
      x.map((each) => from.find((point) => point.epsilon === each)?.[key] ?? null);
    const line = { kind: 'line' } as const;
    const behind = { ...line, faint: true };
    return {
      label: 'Tokens a step, speed-up and agreement with the exact text, over the threshold.',
      height: 220,
      x,
      xRange: [-0.02, 1.02],
      xTicks: [0, 0.2, 0.4, 0.6, 0.8, 1],
      xText: (each) => String(Number(each.toFixed(2))),
      yText: (y) => `${Number(y.toFixed(2))}`,
      series: [
        ...(card.length === 0
          ? []
          : [
              {
                ...behind,
                label: 'card tokens',
                colour: '--tokens',
                values: at(card, 'tokensPerStep'),
              },
              { ...behind, label: 'card speed-up', colour: '--speed', values: at(card, 'speedup') },
              {
                ...behind,
                label: 'card agreement',
                colour: '--agree',
                values: at(card, 'agreement'),
                scale: 'share' as const,
              },
            ]),
        { ...line, label: 'tokens', colour: '--tokens', values: at(sorted, 'tokensPerStep') },
        { ...line, label: 'speed-up', colour: '--speed', values: at(sorted, 'speedup') },
        {
          ...line,
          label: 'agreement',
          colour: '--agree',
          values: at(sorted, 'agreement'),
          scale: 'share',
        },
      ],
      marks: [{ x: epsilon, label: 'now', colour: '--static' }],
    };
  },
);

export const sweepPlot = (
  points: readonly SweepPoint[],
  card: readonly SweepPoint[],
  epsilon: number,
): TemplateResult => html`<dynamo-plot .spec=${sweepSpec(points, card, epsilon)}></dynamo-plot>`;
