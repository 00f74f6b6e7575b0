/**
 * `models/<id>/thresholds.json`: what fast mode was measured to bring over ε_b, and on what. Not every
 * model has one. `bench/steps` makes it from its raw results; the threshold view draws it.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { describeError, errorCode } from './errors';
import { modelIdPattern } from './paths';

const count = z.int().min(1);
const share = z.number().min(0).max(1);

const pointSchema = z.strictObject({
  /** The threshold ε_b. */
  epsilon: share,
  tokensPerStep: z.number().min(0).max(64),
  /** Decode time a token of plain decoding over fast mode's on the same tasks; ×. */
  speedup: z.number().min(0).max(1_000),
  /** Share of characters, from the front, that are those of plain decoding. */
  agreement: share,
});

const curveSchema = z
  .strictObject({
    kind: z.literal('threshold-curve'),
    version: z.literal(1),
    model: z.string().min(1).max(200),
    heads: z.string().min(1).max(200),
    precision: z.string().min(1).max(20),
    /** Tasks that every point was measured on. */
    tasks: count,
    /** Kinds of them, as bench/steps names them. */
    kinds: z.array(z.string().min(1).max(100)).min(1).max(20),
    threads: count.nullable(),
    /** File name of the raw results. */
    results: z.string().min(1).max(200),
    /** By ε_b, ascending. */
    curve: z.array(pointSchema).min(1).max(101),
    /** The threshold that keeps the quality, chosen on other tasks than those of the curve. */
    calibrated: z
      .strictObject({
        epsilon: share,
        tasks: count,
        kinds: z.array(z.string().min(1).max(100)).min(1).max(20),
        results: z.string().min(1).max(200),
      })
      .exactOptional(),
  })
  .refine(
    ({ curve }) => curve.every(({ epsilon }, i) => i === 0 || epsilon > (curve[i - 1]?.epsilon ?? 1)),
    'ε_b must rise from point to point',
  );

export type CurvePoint = z.infer<typeof pointSchema>;
export type ThresholdCurve = z.infer<typeof curveSchema>;

export type CurveFound =
  | { readonly status: 'measured'; readonly curve: ThresholdCurve }
  | { readonly status: 'none' }
  /** There is a file, but not one that can be used; `message` is for people. */
  | { readonly status: 'unreadable'; readonly message: string };

const FILE = 'thresholds.json';

/** @throws {z.ZodError} when it is no curve */
export const checkCurve = (value: unknown): ThresholdCurve => curveSchema.parse(value);

/** @param suite folder of the models */
export async function readCurve(suite: string, model: string): Promise<CurveFound> {
  if (!modelIdPattern.test(model)) return { status: 'none' };
  const name = `models/${model}/${FILE}`;
  let text: string;
  try {
    text = await readFile(join(suite, model, FILE), 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return { status: 'none' };
    return { status: 'unreadable', message: `${name} cannot be read: ${describeError(error)}` };
  }
  try {
    const curve = checkCurve(JSON.parse(text));
    if (curve.model === model) return { status: 'measured', curve };
    return { status: 'unreadable', message: `${name} is about ${curve.model}.` };
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : describeError(error);
    return { status: 'unreadable', message: `${name} is not a curve that this version reads: ${why}` };
  }
}
