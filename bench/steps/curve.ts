/**
 * From a run of this bench to a model's curve over ε_b, as the threshold view shows it. Its points are all
 * of the same tasks, or they could not be compared: of those that every threshold was run on. Pure.
 */
import { agreementOf } from '../../src/editor/thresholds/agreement';
import { checkCurve, type CurvePoint, type ThresholdCurve } from '../../src/models/threshold-curve';
import { plainThreshold } from './modes';
import type { Outcome, ResultRow, Results } from './results';
import { modeFigures } from './summary';

/**
 * @param file name of the results, for who wants to look them up
 * @throws when the run has no thresholds, or no plain decoding to compare them with
 */
export function curveOf({ header, rows }: Results, file: string): ThresholdCurve {
  const { model, heads, headsSha256, precision, threads, modes } = header;
  const thresholds = modes.flatMap((mode) => plainThreshold(mode) ?? []).sort((a, b) => a - b);
  if (!modes.includes('ar') || thresholds.length === 0) {
    throw new Error(`${file} has no curve: run with --modes ar,fast:1,fast:0.5,… first.`);
  }
  if (headsSha256 === undefined) throw new Error(`${file} does not tell which heads it is of.`);
  const needed = ['ar', ...modes.filter((mode) => plainThreshold(mode) !== undefined)];
  const common = [...rows.values()].filter((row) => needed.every((mode) => row.modes[mode]));
  if (common.length === 0) throw new Error(`${file} has no task in all of ${needed.join(', ')}.`);
  return checkCurve({
    ...{ kind: 'threshold-curve', version: 2, model, heads, headsSha256, precision, threads },
    results: file,
    tasks: common.length,
    kinds: [...new Set(common.map(({ kind }) => kind))],
    curve: thresholds.map((epsilon) => pointOf(epsilon, modes, common)),
  });
}

function pointOf(
  epsilon: number,
  modes: readonly string[],
  rows: readonly ResultRow[],
): CurvePoint {
  const mode = modes.find((each) => plainThreshold(each) === epsilon);
  const { tokensPerStep, speedUp } = modeFigures(mode ?? '', rows);
  const pairs = rows.flatMap(({ modes: made }) => pairOf(made['ar'], made[mode ?? '']));
  return {
    epsilon,
    tokensPerStep: round(tokensPerStep),
    speedup: round(speedUp),
    agreement: round(agreementOf(pairs)),
  };
}

const pairOf = (plain: Outcome | undefined, own: Outcome | undefined) =>
  plain && own ? [[plain.text, own.text] as const] : [];

const round = (x: number) => Number(x.toFixed(4));
