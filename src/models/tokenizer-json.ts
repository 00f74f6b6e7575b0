/**
 * The tokenizer inside a GGUF file, as the contents of a Hugging Face `tokenizer.json`.
 *
 * A GGUF stores the vocabulary, the merges and each token's kind, but neither the normalizer nor the
 * split pattern: those follow from the catalogue's pretokenizer name. The metadata comes from a file
 * that somebody else made, so nothing of it is believed before it is checked. This module reads no
 * file and encodes no text.
 */

/** How text is normalised and split before the merges run. */
export type Pretokenizer = 'qwen2' | 'smollm';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: false;
  readonly lstrip: false;
  readonly rstrip: false;
  readonly normalized: false;
  /** True for control tokens; false for user-defined ones, which stand for their own text. */
  readonly special: boolean;
}

/** What this module writes; readable by the `tokenizers` libraries of every language. */
export interface TokenizerJson {
  readonly version: '1.0';
  readonly truncation: null;
  readonly padding: null;
  readonly added_tokens: readonly AddedToken[];
  readonly normalizer: object | null;
  readonly pre_tokenizer: object;
  readonly post_processor: null;
  readonly decoder: object;
  readonly model: {
    readonly type: 'BPE';
    readonly dropout: null;
    readonly unk_token: null;
    readonly continuing_subword_prefix: null;
    readonly end_of_word_suffix: null;
    readonly fuse_unk: false;
    readonly byte_fallback: false;
    readonly ignore_merges: false;
    readonly vocab: Readonly<Record<string, number>>;
    readonly merges: readonly string[];
  };
}

const QWEN2_SPLIT =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" +
  '|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const GPT2_SPLIT =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const split = (pattern: string): object => ({
  type: 'Split',
  pattern: { Regex: pattern },
  behavior: 'Isolated',
  invert: false,
});

/**
 * SmolLM2 declares `Digits(individual)` and then `ByteLevel` with its own pattern. Both are written
 * here as explicit splits with the same result: libraries disagree on which characters their
 * built-in digit and white-space classes hold, but not on `\p{N}` and on a given pattern.
 */
const PIPELINES: Readonly<Record<Pretokenizer, { normalizer: object | null; splits: object[] }>> = {
  qwen2: { normalizer: { type: 'NFC' }, splits: [split(QWEN2_SPLIT)] },
  smollm: { normalizer: null, splits: [split('\\p{N}'), split(GPT2_SPLIT)] },
};

/** `tokenizer.ggml.token_type` values. */
const NORMAL = 1;
const CONTROL = 3;
const USER_DEFINED = 4;
const KNOWN_TYPES = new Set([1, 2, 3, 4, 5, 6]);

const MOST_TOKENS = 1 << 20;
const MOST_MERGES = 1 << 21;
const LONGEST_TOKEN = 1024;

/**
 * Builds a `tokenizer.json`.
 *
 * Tokens of the kind "unused" (the padding up to the rows of the embedding, such as Qwen's
 * `[PAD151665]`) are left out: the highest id may therefore be below the model's vocabulary size.
 *
 * @param metadata the GGUF header's key-value pairs
 * @throws {Error} that names the key at fault, when the metadata is not a usable byte-level BPE
 */
export function tokenizerFromGguf(
  metadata: Readonly<Record<string, unknown>>,
  pretokenizer: Pretokenizer,
): TokenizerJson {
  const pipeline = pipelineFor(metadata, pretokenizer);
  const tokens = strings(metadata, 'tokenizer.ggml.tokens', MOST_TOKENS, LONGEST_TOKEN);
  const types = tokenTypes(metadata, tokens.length);
  const { vocabulary, added } = sortTokens(tokens, types);
  const merges = strings(metadata, 'tokenizer.ggml.merges', MOST_MERGES, 2 * LONGEST_TOKEN);
  checkMerges(merges, vocabulary);
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: pipeline.normalizer,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        ...pipeline.splits,
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
      ],
    },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      // fromEntries defines own properties, so a token named `__proto__` is only a token.
      vocab: Object.fromEntries(vocabulary),
      merges,
    },
  };
}

function pipelineFor(metadata: Readonly<Record<string, unknown>>, pretokenizer: Pretokenizer) {
  const model = metadata['tokenizer.ggml.model'];
  if (model !== 'gpt2') {
    throw damaged('tokenizer.ggml.model', `is ${show(model)}, not "gpt2" (byte-level BPE)`);
  }
  if (!Object.hasOwn(PIPELINES, pretokenizer)) {
    throw new Error(
      `The catalogue names an unknown pretokenizer ${show(pretokenizer)}: use one of ` +
        `${Object.keys(PIPELINES).join(', ')}.`,
    );
  }
  const declared = metadata['tokenizer.ggml.pre'];
  if (declared !== undefined && declared !== pretokenizer) {
    throw damaged(
      'tokenizer.ggml.pre',
      `is ${show(declared)}, but the catalogue says "${pretokenizer}"`,
    );
  }
  return PIPELINES[pretokenizer];
}

function strings(metadata: Readonly<Record<string, unknown>>, key: string, most: number, longest: number): string[] {
  const value = metadata[key];
  if (!Array.isArray(value) || value.length === 0) {
    throw damaged(key, 'is missing or not a list of strings');
  }
  if (value.length > most) {
    throw damaged(key, `has ${String(value.length)} entries, more than ${String(most)}`);
  }
  const list: string[] = [];
  for (const [index, entry] of (value as unknown[]).entries()) {
    if (typeof entry !== 'string' || entry.length === 0 || entry.length > longest) {
      throw damaged(
        key,
        `has ${show(entry)} at ${String(index)}, where a string of 1 to ` +
          `${String(longest)} characters belongs`,
      );
    }
    list.push(entry);
  }
  return list;
}

function tokenTypes(metadata: Readonly<Record<string, unknown>>, count: number): number[] {
  const key = 'tokenizer.ggml.token_type';
  const value = metadata[key];
  if (!Array.isArray(value) || value.length !== count) {
    throw damaged(key, `is not a list of ${String(count)} numbers, one for each token`);
  }
  return (value as unknown[]).map((entry, index) => {
    if (typeof entry !== 'number' || !KNOWN_TYPES.has(entry)) {
      throw damaged(key, `has ${show(entry)} at ${String(index)}, where 1 to 6 belongs`);
    }
    return entry;
  });
}

function sortTokens(tokens: readonly string[], types: readonly number[]) {
  const key = 'tokenizer.ggml.tokens';
  const alphabet = byteAlphabet();
  const seen = new Set<string>();
  const vocabulary = new Map<string, number>();
  const added: AddedToken[] = [];
  for (const [id, content] of tokens.entries()) {
    if (seen.has(content)) throw damaged(key, `lists ${show(content)} twice`);
    seen.add(content);
    const type = types[id];
    if (type === CONTROL || type === USER_DEFINED) {
      const special = type === CONTROL;
      added.push({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special,
      });
    } else if (type === NORMAL) {
      for (const character of content) {
        if (!alphabet.has(character)) {
          throw damaged(key, `has ${show(content)} at ${String(id)}, which is not byte-level text`);
        }
      }
      vocabulary.set(content, id);
    }
  }
  if (vocabulary.size === 0) throw damaged(key, 'holds no text token');
  return { vocabulary, added };
}

function checkMerges(merges: readonly string[], vocabulary: ReadonlyMap<string, number>): void {
  const key = 'tokenizer.ggml.merges';
  const seen = new Set<string>();
  for (const [index, merge] of merges.entries()) {
    const space = merge.indexOf(' ');
    const left = merge.slice(0, Math.max(space, 0));
    const right = merge.slice(space + 1);
    if (!vocabulary.has(left) || !vocabulary.has(right) || !vocabulary.has(left + right)) {
      throw damaged(
        key,
        `has ${show(merge)} at ${String(index)}, which does not join two tokens into a third`,
      );
    }
    if (seen.has(merge)) throw damaged(key, `lists ${show(merge)} twice`);
    seen.add(merge);
  }
}

/** The 256 characters that stand for bytes in a byte-level vocabulary. */
function byteAlphabet(): Set<string> {
  const alphabet = new Set<string>();
  for (let code = 0x21; code <= 0xff; code += 1) {
    if (code <= 0x7e || (code >= 0xa1 && code !== 0xad)) alphabet.add(String.fromCharCode(code));
  }
  for (let code = 256; alphabet.size < 256; code += 1) alphabet.add(String.fromCharCode(code));
  return alphabet;
}

function show(value: unknown): string {
  if (typeof value !== 'string') return Array.isArray(value) ? 'a list' : String(value);
  return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
}

function damaged(key: string, what: string): Error {
  return new Error(
    `The tokenizer in the GGUF file cannot be used: ${key} ${what}. ` +
      'Check that the file is the one the catalogue names.',
  );
}
