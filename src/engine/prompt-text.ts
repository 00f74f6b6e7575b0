/**
 * Prompts for open-ended text, and prompts as text for people to read. Prompts for a cursor are
 * completion/'s business.
 */
import { normalizeNewlines } from '../completion/text';
import type { PromptFormat, TextTokenizer } from '../completion/types';
import { EngineError } from './errors';

/** Tokens looked at for a prompt's tail, and characters kept of it. */
export const PROMPT_TAIL = 200;

/** The end of `text`, as far as `room` tokens hold it. */
export function continuationPrompt(text: string, tokenizer: TextTokenizer, room: number): number[] {
  const tokens = tokenizer.encode(normalizeNewlines(text)).slice(-room);
  return tokens.length > 0 ? tokens : [control('<|endoftext|>', tokenizer)];
}

/**
 * `text` as the user's turn of a conversation, the model's turn begun (ChatML), with `begun` written
 * of it already.
 *
 * @throws {EngineError} `badRequest` when the model has no conversations, or the text is too long
 */
export function chatPrompt(
  text: string,
  tokenizer: TextTokenizer,
  room: number,
  begun = '',
): number[] {
  const start = control('<|im_start|>', tokenizer);
  const tokens = [
    start,
    ...tokenizer.encode(`user\n${normalizeNewlines(text)}`),
    control('<|im_end|>', tokenizer),
    ...tokenizer.encode('\n'),
    start,
    ...tokenizer.encode(`assistant\n${normalizeNewlines(begun)}`),
  ];
  if (tokens.length > room) {
    throw new EngineError(
      'badRequest',
      `The prompt has ${tokens.length} tokens, but only ${room} fit; shorten it.`,
    );
  }
  return tokens;
}

/** The last characters of what the model saw, control tokens by their names. */
export function promptTail(
  prompt: readonly number[],
  format: PromptFormat,
  tokenizer: TextTokenizer,
): string {
  const names = controlNames(format, tokenizer);
  const bytes = prompt.slice(-PROMPT_TAIL).map((id) => {
    const name = names.get(id);
    return name === undefined ? Buffer.from(tokenizer.bytes(id)) : Buffer.from(name);
  });
  const text = Buffer.concat(bytes).toString('utf8');
  return text.slice(-PROMPT_TAIL).replace(/^[\uDC00-\uDFFF]/, ''); // Not half a character.
}

/** Names of the control tokens that prompts and stop rules know, by id. */
export function controlNames(
  { fim, stop }: PromptFormat,
  tokenizer: TextTokenizer,
): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const name of [...stop, ...(fim ? [fim.prefix, fim.suffix, fim.middle] : [])]) {
    const id = tokenizer.control(name);
    if (id !== undefined) names.set(id, name);
  }
  return names;
}

function control(name: string, tokenizer: TextTokenizer): number {
  const id = tokenizer.control(name);
  if (id !== undefined) return id;
  throw new EngineError('badRequest', `This model has no ${name} token; it cannot do that.`);
}
