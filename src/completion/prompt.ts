/**
 * A prompt for the text around a cursor.
 *
 *   suffix-first   <|fim_prefix|><|fim_suffix|>S<|fim_middle|>P     (default: the suffix's rows stay
 *                                                                   in the KV cache while P grows)
 *   prefix-first   <|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>
 *   continuation   P                                                (prose, models without FIM)
 *
 * Token healing: the tokenizer often joins what stands at the cursor with what will follow it: the
 * beginning of a word, the last space of an indentation, a bracket and the line break behind it. A
 * prompt that ends there is cut in tokens that the model never saw together. So the last token of P
 * is taken back and returned as text; the completion must begin with it. Only where P ends the
 * prompt, because nothing else can be put back by continuing.
 */
import { isProse, leftOf, newlineOf } from './text';
import type { CursorContext, FimOrder, PromptFormat, TextTokenizer } from './types';
import { prefixWindow, suffixWindow } from './window';

/** Tokens of document text on each side of the cursor; control tokens come on top. */
export interface PromptBudget {
  readonly prefix: number;
  readonly suffix: number;
}

export const DEFAULT_BUDGET: PromptBudget = { prefix: 1024, suffix: 256 };

/** The most control tokens that any layout adds. */
export const MOST_CONTROL_TOKENS = 3;

export interface PromptRequest {
  readonly context: CursorContext;
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

  const suffix = suffixWindow(context.suffix, budget.suffix, tokenizer);
  const truncated = { prefix: prefix.truncated, suffix: suffix.truncated };
  const control = (name: string): number => controlToken(name, tokenizer);
  const kind = request.order ?? fim.order;
  if (kind === 'prefix-first') {
    const tokens = [
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
    control(fim.prefix),
    control(fim.suffix),
    ...suffix.tokens,
    control(fim.middle),
    ...kept,
  ];
  return { tokens, healed, kind, truncated, newline };
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
