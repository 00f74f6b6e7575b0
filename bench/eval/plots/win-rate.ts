/** Win rate of open-ended text against speed-up, with the judge's line and where it crosses 1. */
import type { JudgedLine, JudgedMode } from '../judge/figures';
import { axes, circle, line, scale, span, svg, text, type Axis, type Frame } from './svg';

const FRAME: Frame = { left: 64, top: 64, width: 560, height: 240 };

/** Undefined when fewer than two modes have a win rate. */
export function winRatePlot(
  judge: string,
  of: JudgedLine,
  modes: readonly JudgedMode[],
): string | undefined {
  const shown = modes.flatMap(({ texts, mode, speedUp, winRate }) =>
    texts === of.texts && speedUp !== undefined && winRate !== undefined
      ? [{ mode, speedUp, winRate }]
      : [],
  );
  if (shown.length < 2) return undefined;
  const { left, top, width, height } = FRAME;
  const [lowX, highX] = span(
    shown.map(({ speedUp }) => speedUp),
    [1],
  );
  const [lowY, highY] = span(
    shown.map(({ winRate }) => winRate),
    [0, 1],
  );
  const x: Axis = {
    ...{ label: 'speed-up over plain decoding, ×', low: lowX, high: highX },
    format: (value) => value.toFixed(1),
  };
  const y: Axis = { label: 'wins / losses', low: lowY, high: highY, format: (v) => v.toFixed(1) };
  const [toX, toY] = [scale(x, left, left + width), scale(y, top + height, top)];
  const on = (speed: number) => of.intercept + of.slope * speed;
  const verdict = typeof of.sameQuality === 'number';
  return svg(left + width + 40, top + height + 84, `${of.texts}: win rate by ${judge}`, [
    ...axes(FRAME, x, y),
    line(left, toY(1), left + width, toY(1), 'rule'),
    ...(verdict ? [line(toX(lowX), toY(on(lowX)), toX(highX), toY(on(highX)), 'line')] : []),
    ...shown.flatMap(({ mode, speedUp, winRate }) => [
      circle(toX(speedUp), toY(winRate), 5, 'a'),
      text(toX(speedUp) + 9, toY(winRate) - 8, mode, { class: 'small' }),
    ]),
    text(
      left,
      top + height + 66,
      typeof of.sameQuality === 'number'
        ? `The line crosses 1 at ${of.sameQuality.toFixed(2)} ×.`
        : of.sameQuality,
      { class: 'small muted' },
    ),
  ]);
}
