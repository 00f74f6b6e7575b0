/**
 * `models/<id>/thresholds.json`: what fast mode was measured to bring over ε_b, and on what; and the
 * model's defaults, chosen on other tasks. Not every model has one. `bench/` makes it from its raw results;
 * the threshold view draws it, the engine decodes by the defaults.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { describeError, errorCode } from './errors';
import { modelIdPattern } from './paths';

const count = z.int().min(1);
const share = z.number().min(0).max(1);
/** Of one step, see the engine's protocol. */
const MOST_ROWS = 8;

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
    version: z.literal(2),
    model: z.string().min(1).max(200),
    heads: z.string().min(1).max(200),
    /** Of the trained heads: newer ones may have the same name. */
    headsSha256: z.string().regex(/^[0-9a-f]{64}$/),
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
    /** The model's defaults, chosen on other tasks than those of the curve. */
    calibrated: z
      .strictObject({
        /** The fastest threshold that keeps the quality and beats exact mode; 1 where none below does. */
        epsilon: share,
        /** Rows of a step of exact mode, drafts among them, beyond which it does not get faster. */
        rows: z.int().min(1).max(MOST_ROWS),
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

/** How a model decodes where the user says nothing else. */
export interface ModelDefaults {
  readonly epsilon?: number;
  readonly rows?: number;
}

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

/**
 * The defaults of a model with these heads. What a step's rows cost belongs to the precision that was
 * measured; ε_b does not, for all precisions say nearly the same.
 *
 * @returns nothing where the file is missing, unreadable or about other heads
 */
export async function readDefaults(
  suite: string,
  model: string,
  heads: { readonly name: string; readonly sha256: string },
  precision: string,
): Promise<ModelDefaults> {
  const found = await readCurve(suite, model);
  if (found.status !== 'measured') return {};
  const { calibrated, ...measured } = found.curve;
  const same = measured.heads === heads.name && measured.headsSha256 === heads.sha256;
  if (!calibrated || !same) return {};
  const { epsilon, rows } = calibrated;
  return measured.precision === precision ? { epsilon, rows } : { epsilon };
}
