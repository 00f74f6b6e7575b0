/** Reads a model's co-occurrence table when it is first needed: most of the time it never is. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { CooccurrenceTable } from '../decoding/cooccurrence';
import { readCooccurrence } from '../decoding/cooccurrence-file';
import { messageOf } from '../models/errors';
import { EngineError } from './errors';
import type { ModelFiles } from './protocol';

/** @returns a reader that reads once; it throws an {@link EngineError} when the file is not sound */
export function tableReader({
  file,
  sha256,
}: NonNullable<ModelFiles['table']>): () => Promise<CooccurrenceTable> {
  let table: CooccurrenceTable | undefined;
  return async () => (table ??= await readTable(file, sha256));
}

async function readTable(file: string, sha256: string): Promise<CooccurrenceTable> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new EngineError(
      'model',
      `The co-occurrence table ${file} cannot be read. Reinstall the extension, or use another mode.`,
      { cause },
    );
  }
  if (createHash('sha256').update(bytes).digest('hex') !== sha256) {
    throw new EngineError(
      'model',
      `The co-occurrence table ${file} is not the catalogue's. Reinstall the extension.`,
    );
  }
  try {
    return readCooccurrence(bytes);
  } catch (cause) {
    const why = messageOf(cause);
    throw new EngineError('model', why, { cause });
  }
}
