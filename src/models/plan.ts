/**
 * The weight plan: which source tensors become which external initialisers of a graph, with what
 * transform, at which offset of the weight file. Written by training/, validated here twice: on its
 * own (ranges inside the file, no overlap) and against its sources (shapes, rows).
 *
 * A trunk's plan takes everything from the publisher's GGUF file. A heads plan takes what was trained
 * from the suite's file of heads, and the base's part from the trunk's weight file beside it, either
 * row by row or, where the graph reads it there, not at all (`borrowed`).
 *
 * Plans only describe; weights.ts carries them out.
 */
import { z } from 'zod';
import { ModelError } from './errors';
import type { SourceTensor } from './tensors';
import { maxBlockValues, rowLength } from './tensors';

const offset = z.int().nonnegative().multipleOf(64);
const dimension = z
  .int()
  .positive()
  .max(2 ** 31 - 1);
const name = z.string().min(1).max(256);

/** Files that tensors come from. */
export type Origin = 'gguf' | 'heads' | 'trunk';

const sourceSchema = z.strictObject({
  tensor: name,
  /** The GGUF file unless it is named otherwise. */
  from: z.enum(['heads', 'trunk']).exactOptional(),
  /** Takes only the rows that this int32 tensor of the heads' file names, in its order. */
  rows: name.exactOptional(),
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
    transform: z.literal('float16'),
    shape: z.array(dimension).min(1).max(2),
  }),
  z.strictObject({
    ...common,
    transform: z.literal('int8'),
    shape: z.tuple([dimension, dimension]),
    /** float32 [N], one scale an output channel. */
    scale: z.strictObject({ name, offset }),
  }),
  /** 4 bits a value, two in a byte; see quantiseBlocks and, where there are offsets, quantiseBetween. */
  z.strictObject({
    ...common,
    transform: z.literal('int4'),
    shape: z.tuple([dimension, dimension]),
    transpose: z.literal(false),
    /** Values of a row that share a scale. */
    block: z.literal([16, 32, 64, 128]),
    /** float32 [N * K / block]. */
    scale: z.strictObject({ name, offset }),
    /** float32 [N, K / block]. */
    offsets: z.strictObject({ name, offset }).exactOptional(),
  }),
  /** The integers of one tensor of the heads' file, as they are. */
  z.strictObject({
    ...common,
    transform: z.literal('int32'),
    shape: z.tuple([dimension]),
    transpose: z.literal(false),
    sources: z.tuple([z.strictObject({ tensor: name, from: z.literal('heads') })]),
  }),
]);

const plainFile = (ending: string) =>
  z
    .string()
    .regex(
      new RegExp(String.raw`^[A-Za-z0-9][\w-]*\.${ending}$`),
      `must be a plain name ending in .${ending}`,
    );

/** What a heads graph is, and the trained heads that it is made of. */
const headsSchema = z.strictObject({
  file: plainFile('safetensors'),
  bytes: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  kind: z.enum(['shared', 'independent', 'chained']),
  /** Tokens a step at most: head 1's and one of each application of the heads. */
  tokens: z.int().min(2).max(8),
  /** Decoder layers a head. */
  layers: z.int().min(1).max(4),
  /** Tokens that the heads may propose. */
  shortlist: z.int().positive(),
  cacheLayers: z.int().positive(),
  /** Rows at a run's end that rest on guesses and are not to be kept. */
  provisional: z.int().nonnegative(),
});

/** An initialiser that the graph reads in the trunk's weight file. */
const borrowedSchema = z.strictObject({
  name,
  file: plainFile('bin'),
  offset,
  bytes: z.int().positive(),
});

const planSchema = z.strictObject({
  version: z.literal(1),
  model: name,
  precision: z.enum(['int8', 'fp32', 'fp16']),
  /** Plain name of the weight file; it stands beside the graph. */
  weights: plainFile('bin'),
  bytes: z
    .int()
    .positive()
    .max(2 ** 40),
  /** In the plan of a heads graph. */
  heads: headsSchema.exactOptional(),
  borrowed: z.array(borrowedSchema).max(1000).exactOptional(),
  tensors: z.array(tensorSchema).min(1).max(100_000),
});

export type WeightPlan = z.infer<typeof planSchema>;
export type HeadsPlan = WeightPlan & { readonly heads: HeadsDescription };
export type HeadsDescription = z.infer<typeof headsSchema>;
export type PlannedTensor = WeightPlan['tensors'][number];

/** An entry together with the tensors that it takes. */
export interface BoundTensor {
  readonly entry: PlannedTensor;
  /** K: values a row; 1 for 1-D tensors, whose values count as rows. */
  readonly columns: number;
  /** N: output rows of all sources together. */
  readonly rows: number;
  readonly sources: readonly BoundSource[];
}

export interface BoundSource {
  readonly origin: Origin;
  readonly tensor: SourceTensor;
  readonly rows: number;
  /** The source's rows to take, in order; undefined for all. */
  readonly picked: Int32Array | undefined;
  /** Rows a head when the rope permutation is to be undone, else 1. */
  readonly headRows: number;
}

/** Bytes that an entry's values (without scales and offsets) take in the weight file. */
export function storedBytes(entry: PlannedTensor): number {
  const values = entry.shape.reduce((product, dim) => product * dim, 1);
  return values * BYTES[entry.transform];
}

/** Of one stored value. */
const BYTES = { float32: 4, float16: 2, int32: 4, int8: 1, int4: 1 / 2 } as const;

type ScaledTensor = Extract<PlannedTensor, { readonly scale: object }>;

/** How many scales an entry has: one an output row, or one a block of its values. */
export function scaleCount(entry: ScaledTensor): number {
  const [first, second] = entry.shape;
  if (entry.transform === 'int4') return (first * second) / entry.block;
  return entry.transpose ? second : first;
}

interface StoredRange {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Where everything stands in the weight file. */
function storedRanges(plan: WeightPlan): StoredRange[] {
  return plan.tensors.flatMap((entry) => {
    const { name: own, offset: start } = entry;
    const ranges = [{ name: own, start, end: start + storedBytes(entry) }];
    if ('scale' in entry) {
      const { name: scale, offset: at } = entry.scale;
      ranges.push({ name: scale, start: at, end: at + 4 * scaleCount(entry) });
    }
    if ('offsets' in entry) {
      const { name: offsets, offset: at } = entry.offsets;
      ranges.push({ name: offsets, start: at, end: at + 4 * scaleCount(entry) });
    }
    return ranges;
  });
}

/**
 * Checks that a heads plan and a trunk's agree on what the heads read in the trunk's weight file.
 *
 * @throws {ModelError} when they do not
 */
export function checkBorrowed(heads: HeadsPlan, trunk: WeightPlan): void {
  const lent = new Map(storedRanges(trunk).map((range) => [range.name, range]));
  for (const { name: wanted, file, offset: start, bytes } of heads.borrowed ?? []) {
    const range = lent.get(wanted);
    if (file === trunk.weights && range?.start === start && range.end === start + bytes) continue;
    throw new ModelError(
      `The heads of ${heads.model} (${heads.heads.file}) do not fit its trunk: "${wanted}" is not where they expect it. Rebuild the suite with \`python -m dynamo_training graphs\`, or reinstall the extension.`,
    );
  }
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

  const flat = plan.tensors.find(({ transpose, shape }) => transpose && shape.length !== 2);
  if (flat) fail(`"${flat.name}" is to be transposed, but has one dimension`);
  for (const entry of plan.tensors) {
    if (entry.transform !== 'int4' || entry.shape[1] % entry.block === 0) continue;
    fail(`"${entry.name}" has rows that are no whole blocks of ${entry.block}`);
  }
  const ranges = storedRanges(plan);
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

/** What a plan is bound to. */
export interface PlanSources {
  /** Tensors by name, of each file that there is. */
  readonly tensors: Partial<Record<Origin, ReadonlyMap<string, SourceTensor>>>;
  /** The int32 tensors that the plan's sources name rows by; see `integerNames`. */
  readonly integers?: ReadonlyMap<string, Int32Array>;
}

/** The int32 tensors of the heads' file that a plan needs. */
export function integerNames(plan: WeightPlan): Set<string> {
  const names = plan.tensors.flatMap((entry) =>
    entry.transform === 'int32'
      ? [entry.sources[0].tensor]
      : entry.sources.flatMap(({ rows }) => rows ?? []),
  );
  return new Set(names);
}

/**
 * Finds the source tensors of every entry and checks that shapes agree.
 *
 * @throws {ModelError} when a tensor is missing or does not fit
 */
export function bindPlan(plan: WeightPlan, { tensors, integers }: PlanSources): BoundTensor[] {
  return plan.tensors.map((entry) => {
    const fail = (reason: string): never => {
      throw new ModelError(
        `The weight plan of ${plan.model} does not fit its sources: "${entry.name}" ${reason}.`,
      );
    };
    const integersOf = (wanted: string): Int32Array =>
      integers?.get(wanted) ?? fail(`needs the integers "${wanted}", which are not there`);
    if (entry.transform === 'int32') {
      const rows = integersOf(entry.sources[0].tensor).length;
      if (rows !== entry.shape[0]) fail(`should have ${entry.shape[0]} values, but has ${rows}`);
      return { entry, columns: 1, rows, sources: [] };
    }
    const flat = entry.shape.length === 1;
    let columns: number | undefined;
    let rows = 0;
    const sources = entry.sources.map((source): BoundSource => {
      const { tensor: wanted, unpermuteHeads } = source;
      const origin: Origin = source.from ?? 'gguf';
      const tensor = tensors[origin]?.get(wanted);
      if (tensor === undefined) return fail(`needs the tensor "${wanted}", which is not there`);
      if (tensor.dims.length !== entry.shape.length) {
        fail(`cannot be made of "${wanted}" of shape [${tensor.dims.join(', ')}]`);
      }
      const sourceColumns = flat ? 1 : rowLength(tensor);
      const sourceRows = (flat ? tensor.dims[0] : tensor.dims[1]) ?? 0;
      columns ??= sourceColumns;
      if (sourceColumns !== columns) fail('joins tensors with rows of different lengths');

      if (source.rows !== undefined) {
        const picked = integersOf(source.rows);
        if (flat || unpermuteHeads !== undefined) fail('takes rows of what has none to choose from');
        if (picked.some((row) => row < 0 || row >= sourceRows)) {
          fail(`takes a row that "${wanted}" does not have`);
        }
        rows += picked.length;
        return { origin, tensor, rows: picked.length, picked, headRows: 1 };
      }
      rows += sourceRows;
      const all = { origin, tensor, rows: sourceRows, picked: undefined };
      if (unpermuteHeads === undefined) return { ...all, headRows: 1 };
      const headRows = sourceRows / unpermuteHeads;
      if (!Number.isInteger(headRows) || headRows % 2 !== 0) {
        fail(`cannot split the ${sourceRows} rows of "${wanted}" into ${unpermuteHeads} heads`);
      }
      if (headRows * sourceColumns > maxBlockValues) {
        fail(`has heads of ${headRows} rows, which are too large`);
      }
      return { ...all, headRows };
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
