/**
 * A prompt for the text around a cursor.
 *
 *   suffix-first   <|fim_prefix|><|fim_suffix|>S<|fim_middle|>P     (default: the suffix's rows stay
 *                                                                   in the KV cache while P grows)
 *   prefix-first   <|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>
 *   continuation   P                                                (prose, models without FIM)
 *
 * Parts of other files stand in front of all that, as <|file_sep|>name⏎text⏎, for models that know
 * the token: they change least. Closing brackets and quotes alone right of the cursor are left out of
 * S: the editor wrote them while the user typed, so they come and go, and with them S's rows in the
 * KV cache would; the model writes them itself, and they are then replaced.
 *
 * Token healing: the tokenizer often joins what stands at the cursor with what will follow it: the
 * beginning of a word, the last space of an indentation, a bracket and the line break behind it. A
 * prompt that ends there is cut in tokens that the model never saw together. So the last token of P
 * is taken back and returned as text; the completion must begin with it. Only where P ends the
 * prompt, because nothing else can be put back by continuing.
 */
import { isProse, leftOf, newlineOf, normalizeNewlines } from './text';
import { WRITTEN_BY_EDITOR } from './postprocess/replaceRange';
import type { CursorContext, FimOrder, OtherFile, PromptFormat, TextTokenizer } from './types';
import { prefixWindow, suffixWindow } from './window';

/** Tokens of document text on each side of the cursor; control tokens come on top. */
export interface PromptBudget {
  readonly prefix: number;
  readonly suffix: number;
  /** All parts of other files together; none when absent. */
  readonly files?: number;
}

export const DEFAULT_BUDGET = { prefix: 1024, suffix: 256, files: 512 } satisfies PromptBudget;

/** The most control tokens that any layout adds. */
export const MOST_CONTROL_TOKENS = 3;

export interface PromptRequest {
  readonly context: CursorContext;
  readonly files?: readonly OtherFile[];
  readonly format: PromptFormat;
  readonly tokenizer: TextTokenizer;
  readonly budget?: PromptBudget;
  /** Overrides the format's order. */
  readonly order?: FimOrder;
  /** Whether to heal a word at the cursor; true when absent. */
  readonly heal?: boolean;
}

export interface Prompt {
  /** Never empty; at most the budget and MOST_CONTROL_TOKENS. */
  readonly tokens: number[];
  /** Text that the completion must begin with and that the document already has; often ''. */
  readonly healed: string;
  readonly kind: FimOrder | 'continuation';
  /** Whether the document has more than the prompt, on each side. */
  readonly truncated: { readonly prefix: boolean; readonly suffix: boolean };
  /** Line break of the document; the model reads and writes `\n`. */
  readonly newline: '\n' | '\r\n';
}

/**
 * @throws {Error} when the format names a control token that the tokenizer lacks
 */
export function buildPrompt(request: PromptRequest): Prompt {
  const { context, format, tokenizer, budget = DEFAULT_BUDGET, heal = true } = request;
  const newline = newlineOf(context);
  const prefix = prefixWindow(leftOf(context), budget.prefix, tokenizer);
  const { fim } = format;
  if (fim === undefined || isProse(context.language)) {
    const { tokens, healed } = healing(prefix.tokens, heal, tokenizer);
    return {
      tokens: tokens.length > 0 ? tokens : [beginning(format, tokenizer)],
      healed,
      kind: 'continuation',
      truncated: { prefix: prefix.truncated, suffix: context.suffix !== '' },
      newline,
    };
  }

  const suffix = suffixWindow(settledSuffix(context.suffix), budget.suffix, tokenizer);
  const truncated = { prefix: prefix.truncated, suffix: suffix.truncated };
  const files = fileBlocks(request.files ?? [], budget.files ?? 0, tokenizer);
  const control = (name: string): number => controlToken(name, tokenizer);
  const kind = request.order ?? fim.order;
  if (kind === 'prefix-first') {
    const tokens = [
      ...files,
      control(fim.prefix),
      ...prefix.tokens,
      control(fim.suffix),
      ...suffix.tokens,
      control(fim.middle),
    ];
    return { tokens, healed: '', kind, truncated, newline };
  }
  const { tokens: kept, healed } = healing(prefix.tokens, heal, tokenizer);
  const tokens = [
    ...files,
    control(fim.prefix),
    control(fim.suffix),
    ...suffix.tokens,
    control(fim.middle),
    ...kept,
  ];
  return { tokens, healed, kind, truncated, newline };
}

/** `suffix` without what the editor wrote on the cursor's line. */
function settledSuffix(suffix: string): string {
  const end = suffix.search(/\r?\n/);
  const right = end < 0 ? suffix : suffix.slice(0, end);
  return WRITTEN_BY_EDITOR.test(right) ? suffix.slice(right.length) : suffix;
}

/** Other files in whole blocks, as many as fit. */
function fileBlocks(
  files: readonly OtherFile[],
  budget: number,
  tokenizer: TextTokenizer,
): number[] {
  const separator = tokenizer.control('<|file_sep|>');
  if (separator === undefined) return [];
  const tokens: number[] = [];
  for (const { name, text } of files) {
    const block = [separator, ...tokenizer.encode(`${name}\n${normalizeNewlines(text)}\n`)];
    if (tokens.length + block.length > budget) break;
    tokens.push(...block);
  }
  return tokens;
}

/**
 * Removes the last token. Not when it has a line break, behind which a token begins anyway. Not when
 * it ends in a digit: tokenizers write digits one by one. Not when it begins within a character,
 * because its text could not be compared.
 */
function healing(
  tokens: number[],
  heal: boolean,
  tokenizer: TextTokenizer,
): { tokens: number[]; healed: string } {
  const last = tokens.at(-1);
  if (!heal || last === undefined) return { tokens, healed: '' };
  let healed: string;
  try {
    healed = strictUtf8.decode(tokenizer.bytes(last));
  } catch {
    return { tokens, healed: '' };
  }
  if (healed === '' || healed.includes('\n') || /\p{N}$/u.test(healed))
    return { tokens, healed: '' };
  return { tokens: tokens.slice(0, -1), healed };
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A model needs one token to predict from: the one that separates documents. */
function beginning(format: PromptFormat, tokenizer: TextTokenizer): number {
  for (const name of ['<|endoftext|>', ...format.stop]) {
    const id = tokenizer.control(name);
    if (id !== undefined) return id;
  }
  throw new Error(
    'The model names no control token that could begin an empty prompt: ' +
      'check the stop tokens in its catalogue entry.',
  );
}

function controlToken(name: string, tokenizer: TextTokenizer): number {
  const id = tokenizer.control(name);
  if (id !== undefined) return id;
  throw new Error(
    `The model's tokenizer has no control token ${name}: check the prompt format in its ` +
      'catalogue entry.',
  );
}
