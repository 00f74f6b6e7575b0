/**
 * Quality against speed-up over ε_b, with the margin and the same-quality point. What is drawn are
 * differences to plain decoding of the same tasks: points of few tasks have another plain decoding.
 */
import { sameQualityPoint, sweepOf, type ModePoint, type RunFigures } from '../figures';
import { MEASURE_NAMES } from '../scores';
import { SAME_QUALITY_MARGIN } from '../statistics';
import { placeLabels } from './labels';
import { axes, circle, line, scale, span, svg, text, type Axis, type Frame } from './svg';

const FRAME: Frame = { left: 64, top: 64, width: 560, height: 280 };

/** For the names of the lines, beside the frame. */
const MARGIN = 112;

/** Undefined when there is no sweep with a measure of quality. */
export function qualityPlot(run: RunFigures): string | undefined {
  const { measure } = run;
  const sweep = sweepOf(run);
  if (!measure || sweep.length === 0) return undefined;
  const exact = run.points.filter(({ mode }) => mode === 'exact');
  const shown = [...sweep, ...exact].flatMap((point) => {
    const score = point.scores[measure];
    return score ? [{ point, ...score }] : [];
  });
  if (shown.length === 0) return undefined;
  const [lowX, highX] = span(
    shown.map(({ point }) => point.figures.speedUp),
    [1],
  );
  // What is plain decoding by definition is not uncertain.
  const ends = shown.flatMap(({ point, interval: { low, high } }) =>
    point.plainByDefinition ? [] : [low, high],
  );
  const [lowY, highY] = span(ends, [0, -SAME_QUALITY_MARGIN]);
  const x: Axis = {
    ...{ label: 'speed-up over plain decoding, ×', low: lowX, high: highX },
    format: (value) => value.toFixed(1),
  };
  const y: Axis = {
    ...{ label: `${MEASURE_NAMES[measure]}, points from plain`, low: lowY, high: highY },
    format: (value) => (100 * value).toFixed(0).replace('-', '−'),
  };
  const { left, top, width, height } = FRAME;
  const [toX, toY] = [scale(x, left, left + width), scale(y, top + height, top)];
  const same = sameQualityPoint(run);
  const placed = shown.map(({ point, difference, interval }) => ({
    ...{ point, interval, label: labelOf(point) },
    ...{ x: toX(point.figures.speedUp), y: toY(difference) },
  }));
  const labels = placeLabels(placed);
  const dot = ({ point, interval, x: px, y: py }: (typeof placed)[number]): string[] => [
    ...(point.plainByDefinition
      ? []
      : [line(px, toY(interval.low), px, toY(interval.high), 'bar')]),
    circle(px, py, 5, point.epsilon === undefined ? 'c' : 'a'),
    ...(point === same ? [circle(px, py, 9, 'ring')] : []),
  ];
  const rule = (at: number, name: string, below: number) => [
    line(left, toY(at), left + width, toY(at), 'rule'),
    text(left + width + 6, toY(at) + below, name, { class: 'small muted' }),
  ];
  const title = `${run.header.model}, ${run.kind}: ${MEASURE_NAMES[measure]} against speed-up, ${run.tasks} tasks`;
  return svg(left + width + MARGIN, top + height + 84, title, [
    ...axes(FRAME, x, y),
    ...rule(0, 'plain decoding', 0),
    ...rule(-SAME_QUALITY_MARGIN, 'two points below', 12),
    ...placed.flatMap(dot),
    ...labels.map(({ label, ...at }) => text(at.x, at.y, label, { class: 'small' })),
    text(left, top + height + 66, `${captionOf(same)} Bars: 95 % of the paired difference.`, {
      class: 'small muted',
    }),
  ]);
}

function captionOf(same: ModePoint | undefined): string {
  if (!same) return 'No ε_b is shown to be as good as plain decoding.';
  if (same.plainByDefinition)
    return 'Ring: plain decoding by definition; no other that is shown to be as good is faster.';
  return `Ring: the fastest that is as good as plain decoding, ${same.figures.speedUp.toFixed(2)} ×.`;
}

const labelOf = ({ epsilon, mode }: ModePoint): string =>
  epsilon === undefined ? mode : `ε ${epsilon}`;
