/** What both sides of a comparison loaded, by content: files of one name are not always the same. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { modelVersionSchema } from '../environment';

export const loadedSchema = z.object({
  model: modelVersionSchema,
  /** SHA-256 of the peer's GGUF file. */
  peerSha256: z.string(),
  /** SHA-256 of what the peer may draft with; absent where there was nothing. */
  draftSha256: z.string().optional(),
});
export type Loaded = z.infer<typeof loadedSchema>;

/** Of the peer's file as results call it: `same`, or another quantisation's name. */
export const fileOfPeer = (peer: string): string => (peer === 'same' ? 'the same file' : peer);

/** What is compared: a model, and what results call the peer's file of it. */
export interface Subject {
  readonly model: string;
  readonly peer: string;
  readonly loaded: Loaded;
}

/**
 * Rows of a model are all of one version of it, and those beside one of the peer's files of that very file.
 *
 * @param path of the file that the rows are from
 * @throws for rows of anything else; older ones do not tell
 */
export function checkLoaded(
  path: string,
  rows: Iterable<Pick<Subject, 'model' | 'peer'> & { readonly loaded?: Loaded | undefined }>,
  { model, peer, loaded }: Subject,
): void {
  for (const row of rows) {
    if (row.model !== model) continue;
    const what =
      row.loaded === undefined
        ? 'files that it does not tell'
        : differing(row.loaded, loaded, row.peer === peer);
    if (what === undefined) continue;
    throw new Error(`${path} has rows of ${model} with ${what}; choose another --out.`);
  }
}

function differing(found: Loaded, wanted: Loaded, samePeer: boolean): string | undefined {
  if (!isDeepStrictEqual(found.model, wanted.model)) {
    return `another version of it, ${JSON.stringify(found.model)}`;
  }
  if (!samePeer) return undefined;
  if (found.peerSha256 !== wanted.peerSha256) {
    return `another file of llama.cpp’s, SHA-256 ${found.peerSha256}`;
  }
  const [one, other] = [found.draftSha256, wanted.draftSha256];
  // Tasks without drafts are measured again with them, and those with drafts hold all that is wanted without.
  if (one === undefined || other === undefined || one === other) return undefined;
  return `another draft model, SHA-256 ${one}`;
}
