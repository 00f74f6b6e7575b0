/**
 * Text to token ids and back, from an installed model's `tokenizer.json`.
 *
 * Encoding is done by `@huggingface/tokenizers`, which is given no added tokens: whatever stands in
 * a document is text, and control tokens enter a prompt only by name. Decoding works on bytes,
 * because one token may hold part of a character. Nothing here knows of prompts or models.
 */

import { readFile } from 'node:fs/promises';

import { Tokenizer } from '@huggingface/tokenizers';
import { z } from 'zod';

import type { TextTokenizer } from '../completion/types';

export interface EngineTokenizer extends TextTokenizer {
  /** Text of `ids`; control tokens have none, and bytes that are not UTF-8 become U+FFFD. */
  decode(ids: Iterable<number>): string;
  /** Highest known id + 1. A model's embedding may have more rows, for which no token exists. */
  readonly vocabularySize: number;
}

const fileSchema = z.looseObject({
  added_tokens: z.array(
    z.looseObject({ id: z.int().nonnegative(), content: z.string().min(1), special: z.boolean() }),
  ),
  normalizer: z.unknown(),
  pre_tokenizer: z.looseObject({}),
  post_processor: z.null(),
  decoder: z.looseObject({ type: z.literal('ByteLevel') }),
  // The vocabulary has 150,000 entries: a shape check of each would cost more than the rest of
  // loading, and the installation has recorded the file's hash.
  model: z.looseObject({
    type: z.literal('BPE'),
    vocab: z.custom<Record<string, number>>((v) => typeof v === 'object' && v !== null),
    merges: z.custom<string[]>((v) => Array.isArray(v)),
  }),
});

/**
 * @param path a `tokenizer.json` that the installer wrote
 * @throws {Error} when the file cannot be read or is not a byte-level BPE tokenizer
 */
export async function loadTokenizer(path: string): Promise<EngineTokenizer> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new Error(`The tokenizer ${path} cannot be read. Install the model again.`, { cause });
  }
  try {
    return createTokenizer(JSON.parse(text) as unknown);
  } catch (cause) {
    throw new Error(`The tokenizer ${path} is damaged. Install the model again.`, { cause });
  }
}

/** The same from the parsed contents of a `tokenizer.json`. */
export function createTokenizer(contents: unknown): EngineTokenizer {
  const json = fileSchema.parse(contents);
  const library = new Tokenizer({ ...json, added_tokens: [] }, {});
  const { normalizer, pre_tokenizer: splitter, model } = library;
  if (splitter === null || model === null) throw new Error('The tokenizer has no model.');

  const ids = model.tokens_to_ids;
  const controls = new Map<string, number>();
  const tokens: (Uint8Array | string | undefined)[] = [];
  for (const [token, id] of ids) tokens[id] = token;
  for (const { id, content, special } of json.added_tokens) {
    controls.set(content, id);
    tokens[id] = special ? new Uint8Array() : encoder.encode(content);
  }
  const missing = missingBytes(ids);

  function bytes(id: number): Uint8Array {
    if (!Number.isInteger(id) || id < 0) throw new RangeError(`${String(id)} is not a token id.`);
    const token = tokens[id];
    if (typeof token !== 'string') return token ?? NO_BYTES;
    const decoded = Uint8Array.from(token, (character) => {
      const byte = CHARACTER_TO_BYTE.get(character);
      if (byte === undefined) throw new Error(`Token ${String(id)} is not byte-level text.`);
      return byte;
    });
    tokens[id] = decoded;
    return decoded;
  }

  return {
    vocabularySize: tokens.length,
    encode(text) {
      if (text === '') return [];
      const normalized = normalizer === null ? text : normalizer.normalize(text);
      let pieces = splitter.pre_tokenize(normalized);
      // A byte that the vocabulary lacks is dropped before the merges run, as the reference does.
      if (missing !== undefined) pieces = pieces.map((piece) => piece.replace(missing, ''));
      return model.encode(pieces).map((token) => {
        const id = ids.get(token);
        if (id === undefined) throw new Error(`A merge made the unknown token "${token}".`);
        return id;
      });
    },
    bytes,
    control: (name) => controls.get(name),
    decode(list) {
      const stream = new TokenTextStream({ bytes });
      let text = '';
      for (const id of list) text += stream.push(id);
      return text + stream.end();
    },
  };
}

/**
 * Turns token ids into text as they come. An incomplete UTF-8 sequence at the end is held back until
 * the tokens that finish it arrive, so that no half character is ever shown.
 */
export class TokenTextStream {
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(private readonly tokenizer: Pick<TextTokenizer, 'bytes'>) {}

  /** Text that became complete with this token; often empty inside an emoji or a rare letter. */
  push(id: number): string {
    return this.decoder.decode(this.tokenizer.bytes(id), { stream: true });
  }

  /** What was held back, as U+FFFD; the stream can be used again afterwards. */
  end(): string {
    return this.decoder.decode();
  }
}

const NO_BYTES = new Uint8Array();
const encoder = new TextEncoder();

/** The byte-level alphabet: printable Latin-1 stands for itself, every other byte for U+0100 on. */
const CHARACTER_TO_BYTE: ReadonlyMap<string, number> = (() => {
  const map = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte += 1) {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    map.set(String.fromCharCode(printable ? byte : next), byte);
    if (!printable) next += 1;
  }
  return map;
})();

/** Matches the alphabet's characters that are no token, or undefined when all 256 are. */
function missingBytes(ids: ReadonlyMap<string, number>): RegExp | undefined {
  const missing = [...CHARACTER_TO_BYTE.keys()].filter((character) => !ids.has(character));
  if (missing.length === 0) return undefined;
  const escaped = missing.map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return new RegExp(`[${escaped.join('')}]`, 'g');
}
