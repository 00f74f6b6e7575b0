/** Quality against speed-up over ε_b, with plain decoding, the margin and the same-quality point. */
import { sameQualityPoint, sweepOf, type ModePoint, type RunFigures } from '../figures';
import { MEASURE_NAMES } from '../scores';
import { SAME_QUALITY_MARGIN } from '../statistics';
import { axes, circle, line, scale, span, svg, text, type Axis, type Frame } from './svg';

const FRAME: Frame = { left: 64, top: 64, width: 560, height: 280 };

/** Undefined when there is no sweep with a measure of quality. */
export function qualityPlot(run: RunFigures): string | undefined {
  const { measure } = run;
  if (!measure) return undefined;
  const shown = [...sweepOf(run), ...run.points.filter(({ mode }) => mode === 'exact')].flatMap(
    (point) => {
      const score = point.scores[measure];
      return score ? [{ point, score, low: score.plain + score.interval.low }] : [];
    },
  );
  const [first] = shown;
  if (!first || sweepOf(run).length === 0) return undefined;
  const { plain } = first.score;
  const floor = plain - SAME_QUALITY_MARGIN;
  const highs = shown.map(({ score }) => score.plain + score.interval.high);
  const [lowX, highX] = span(
    shown.map(({ point }) => point.figures.speedUp),
    [1],
  );
  const [lowY, highY] = span([...shown.map(({ low }) => low), ...highs], [plain, floor]);
  const percent = (value: number) => `${(100 * value).toFixed(0)} %`;
  const x: Axis = {
    ...{ label: 'speed-up over plain decoding, ×', low: lowX, high: highX },
    format: (value) => value.toFixed(1),
  };
  const y: Axis = { label: MEASURE_NAMES[measure], low: lowY, high: highY, format: percent };
  const { left, top, width, height } = FRAME;
  const [toX, toY] = [scale(x, left, left + width), scale(y, top + height, top)];
  const same = sameQualityPoint(run);
  const dot = ({ point, score, low }: (typeof shown)[number]): string[] => {
    const [px, py] = [toX(point.figures.speedUp), toY(score.own)];
    const exact = point.epsilon === undefined;
    return [
      line(px, toY(low), px, toY(score.plain + score.interval.high), 'bar'),
      circle(px, py, 5, exact ? 'c' : 'a'),
      ...(point === same ? [circle(px, py, 9, 'ring')] : []),
      text(px + 9, py + (exact ? 16 : -8), labelOf(point), { class: 'small' }),
    ];
  };
  const title = `${run.header.model}, ${run.kind}: ${MEASURE_NAMES[measure]} against speed-up, ${run.tasks} tasks`;
  return svg(left + width + 40, top + height + 84, title, [
    ...axes(FRAME, x, y),
    line(left, toY(plain), left + width, toY(plain), 'rule'),
    text(left + width - 4, toY(plain) - 5, 'plain decoding', rightSmall),
    line(left, toY(floor), left + width, toY(floor), 'rule'),
    text(left + width - 4, toY(floor) + 14, 'two points below', rightSmall),
    ...shown.flatMap(dot),
    text(
      left,
      top + height + 66,
      same
        ? `Ring: the fastest that is as good as plain decoding, ${same.figures.speedUp.toFixed(2)} ×. Bars: 95 % of the paired difference.`
        : 'No ε_b is shown to be as good as plain decoding. Bars: 95 % of the paired difference.',
      { class: 'small muted' },
    ),
  ]);
}

const rightSmall = { class: 'small muted', 'text-anchor': 'end' };

const labelOf = ({ epsilon, mode }: ModePoint): string =>
  epsilon === undefined ? mode : `ε ${epsilon}`;
