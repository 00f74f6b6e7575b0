/**
 * The record of an installation, `installed.json`: what it was made of and what it consists of. An
 * installation without a sound record is none.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Precision } from './paths';

export const recordName = 'installed.json';
export const graphName = 'graph.onnx';
export const tokenizerName = 'tokenizer.json';

/** Size and SHA-256 of a file. */
export const hashed = z.object({
  bytes: z.int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const file = hashed.extend({ file: z.string().regex(/^[A-Za-z0-9][\w.-]*$/) });

/** Token heads beside the trunk. The plan holds the hash of the trained heads. */
const heads = z.object({ name: z.string(), plan: hashed, graph: file, weights: file });

const recordSchema = z.object({
  /** Versions 1 and 2 knew of no heads, or of one set under other names; their trunk is the same. */
  version: z.union([z.literal(1), z.literal(2), z.literal(3)]),
  id: z.string(),
  precision: z.enum(['int8', 'fp32', 'fp16']),
  source: hashed,
  plan: hashed,
  graph: file,
  weights: file,
  tokenizer: file,
  heads: z.array(heads),
});

export type InstallRecord = z.infer<typeof recordSchema>;
export type HeadsRecord = z.infer<typeof heads>;
export type HashedFile = z.infer<typeof file>;

/** The record in a folder, or undefined when it is missing, damaged or of something else. */
export async function readRecord(
  directory: string,
  id: string,
  precision: Precision,
): Promise<InstallRecord | undefined> {
  try {
    const content: unknown = JSON.parse(await readFile(join(directory, recordName), 'utf8'));
    const record = recordSchema.parse(migrated(content));
    const own = record.id === id && record.precision === precision;
    const named = record.graph.file === graphName && record.tokenizer.file === tokenizerName;
    if (!own || !named) return undefined;
    return { ...record, version: 3 };
  } catch {
    return undefined;
  }
}

/** Heads of older versions are made again. */
function migrated(content: unknown): unknown {
  if (typeof content !== 'object' || content === null) return content;
  return 'version' in content && content.version === 3 ? content : { ...content, heads: [] };
}

export function formatRecord(record: InstallRecord): string {
  return `${JSON.stringify(record, null, 2)}\n`;
}
