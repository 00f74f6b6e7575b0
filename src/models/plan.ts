/**
 * The weight plan: which tensors of a GGUF file become which external initialisers of a graph, with
 * what transform, at which offset of the weight file. Written by training/, validated here twice:
 * on its own (ranges inside the file, no overlap) and against the GGUF file (shapes).
 *
 * Plans only describe; weights.ts carries them out.
 */
import { z } from 'zod';
import { ModelError } from './errors';
import type { GgufTensor } from './gguf';
import { maxBlockValues, rowLength } from './gguf';

const offset = z.int().nonnegative().multipleOf(64);
const dimension = z
  .int()
  .positive()
  .max(2 ** 31 - 1);
const name = z.string().min(1).max(256);

const sourceSchema = z.strictObject({
  tensor: name,
  /**
   * Undoes llama.cpp's permutation for interleaved rope over this many heads: with hd = rows / heads,
   * output row head·hd + p·hd/2 + j is source row head·hd + 2·j + p (p in 0..1).
   */
  unpermuteHeads: z.int().positive().exactOptional(),
});

const common = {
  name,
  offset,
  /** Store [K, N] instead of [N, K]. */
  transpose: z.boolean(),
  sources: z.array(sourceSchema).min(1),
};

const tensorSchema = z.discriminatedUnion('transform', [
  z.strictObject({
    ...common,
    transform: z.literal('float32'),
    shape: z.array(dimension).min(1).max(2),
  }),
  z.strictObject({
    ...common,
    transform: z.literal('int8'),
    shape: z.tuple([dimension, dimension]),
    /** float32 [N], one scale an output channel. */
    scale: z.strictObject({ name, offset }),
  }),
]);

const planSchema = z.strictObject({
  version: z.literal(1),
  model: name,
  precision: z.enum(['int8', 'fp32']),
  /** Plain name of the weight file; it stands beside the graph. */
  weights: z.string().regex(/^[A-Za-z0-9][\w-]*\.bin$/, 'must be a plain name ending in .bin'),
  bytes: z
    .int()
    .positive()
    .max(2 ** 40),
  tensors: z.array(tensorSchema).min(1).max(100_000),
});

export type WeightPlan = z.infer<typeof planSchema>;
export type PlannedTensor = WeightPlan['tensors'][number];

/** An entry together with the GGUF tensors that it takes. */
export interface BoundTensor {
  readonly entry: PlannedTensor;
  /** K: values a row; 1 for 1-D tensors, whose values count as rows. */
  readonly columns: number;
  /** N: output rows of all sources together. */
  readonly rows: number;
  readonly sources: readonly BoundSource[];
}

export interface BoundSource {
  readonly tensor: GgufTensor;
  readonly rows: number;
  /** Rows a head when the rope permutation is to be undone, else 1. */
  readonly headRows: number;
}

/** Bytes that an entry's values (without its scales) take in the weight file. */
export function storedBytes(entry: PlannedTensor): number {
  const values = entry.shape.reduce((product, dim) => product * dim, 1);
  return values * (entry.transform === 'int8' ? 1 : 4);
}

/** N of an entry: the length of its scales. */
function outputRows(entry: PlannedTensor): number {
  return entry.shape[entry.transpose ? entry.shape.length - 1 : 0] ?? 0;
}

/**
 * Reads a plan's text and checks every range in it.
 *
 * @param origin the plan's path, for error messages
 * @throws {ModelError} when it is malformed
 */
export function parsePlan(text: string, origin: string): WeightPlan {
  const fail = (reason: string): never => {
    throw new ModelError(`The weight plan ${origin} is malformed: ${reason}.`);
  };
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return fail('it is not JSON');
  }
  const parsed = planSchema.safeParse(content);
  if (!parsed.success) return fail(z.prettifyError(parsed.error));
  const plan = parsed.data;

  const ranges: { name: string; start: number; end: number }[] = [];
  const add = (rangeName: string, start: number, length: number): void => {
    ranges.push({ name: rangeName, start, end: start + length });
  };
  for (const entry of plan.tensors) {
    add(entry.name, entry.offset, storedBytes(entry));
    if (entry.transform === 'int8') {
      add(entry.scale.name, entry.scale.offset, 4 * outputRows(entry));
    }
    if (entry.transpose && entry.shape.length !== 2) {
      fail(`"${entry.name}" is to be transposed, but has one dimension`);
    }
  }
  const names = new Set(ranges.map((range) => range.name));
  if (names.size !== ranges.length) fail('a name occurs twice');

  ranges.sort((a, b) => a.start - b.start);
  let previous: (typeof ranges)[number] | undefined;
  for (const range of ranges) {
    if (range.end > plan.bytes) {
      fail(`"${range.name}" ends at byte ${range.end}, behind the file's ${plan.bytes} bytes`);
    }
    if (previous !== undefined && range.start < previous.end) {
      fail(`"${previous.name}" and "${range.name}" overlap`);
    }
    previous = range;
  }
  return plan;
}

/**
 * Finds the source tensors of every entry and checks that shapes agree.
 *
 * @throws {ModelError} when a tensor is missing or does not fit
 */
export function bindPlan(
  plan: WeightPlan,
  tensors: ReadonlyMap<string, GgufTensor>,
): BoundTensor[] {
  return plan.tensors.map((entry) => {
    const fail = (reason: string): never => {
      throw new ModelError(
        `The weight plan of ${plan.model} does not fit the GGUF file: "${entry.name}" ${reason}.`,
      );
    };
    const flat = entry.shape.length === 1;
    let columns: number | undefined;
    let rows = 0;
    const sources = entry.sources.map(({ tensor: wanted, unpermuteHeads }): BoundSource => {
      const tensor = tensors.get(wanted);
      if (tensor === undefined) return fail(`needs the tensor "${wanted}", which is not there`);
      if (tensor.dims.length !== entry.shape.length) {
        fail(`cannot be made of "${wanted}" of shape [${tensor.dims.join(', ')}]`);
      }
      const sourceColumns = flat ? 1 : rowLength(tensor);
      const sourceRows = (flat ? tensor.dims[0] : tensor.dims[1]) ?? 0;
      columns ??= sourceColumns;
      if (sourceColumns !== columns) fail('joins tensors with rows of different lengths');
      rows += sourceRows;

      if (unpermuteHeads === undefined) return { tensor, rows: sourceRows, headRows: 1 };
      const headRows = sourceRows / unpermuteHeads;
      if (!Number.isInteger(headRows) || headRows % 2 !== 0) {
        fail(`cannot split the ${sourceRows} rows of "${wanted}" into ${unpermuteHeads} heads`);
      }
      if (headRows * sourceColumns > maxBlockValues) {
        fail(`has heads of ${headRows} rows, which are too large`);
      }
      return { tensor, rows: sourceRows, headRows };
    });
    const bound = { entry, columns: columns ?? 0, rows, sources };
    const shape = flat
      ? [bound.rows]
      : entry.transpose
        ? [bound.columns, bound.rows]
        : [bound.rows, bound.columns];
    if (shape.some((dim, i) => dim !== entry.shape[i])) {
      fail(`should have the shape [${entry.shape.join(', ')}], but is [${shape.join(', ')}]`);
    }
    return bound;
  });
}
