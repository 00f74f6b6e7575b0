/**
 * How soon the next key is answered: a completion, a few more characters, and the time until the first
 * token of the completion behind them is here, on this side of the process boundary.
 */
import type { Engine } from '../engine/client';
import { median } from './median';

/** Tokens of the prompt, about. */
const CONTEXT = 1000;
/** What is typed, with no regard to what was suggested: a few new tokens. */
const TYPED = ['Q', ' ^ Q', ' ^ Q % W'];
const ROUNDS = 7;

export interface NextKey {
  readonly context: number;
  /** Prompt tokens that were not in the cache, by what was typed. */
  readonly newTokens: readonly number[];
  /** Median time from the request to its first token, by what was typed, ms. */
  readonly firstTokenMs: readonly number[];
  /** A step of one row at that context, ms. */
  readonly stepMs: number;
}

/** Replaces what the engine's cache held. */
export async function measureNextKey(engine: Engine): Promise<NextKey> {
  const ask = (prompt: string, maxTokens: number) =>
    engine.generate({ prompt, maxTokens, chat: false, mode: 'ar', epsilon: 0.5 });
  const prefix = await longPrefix(async (text) => (await ask(text, 1)).promptTokens);
  const times = TYPED.map((): number[] => []);
  const newTokens = TYPED.map(() => 0);
  let context = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, typed] of TYPED.entries()) {
      await ask(prefix, 16);
      const started = performance.now();
      const { promptTokens, reusedTokens } = await ask(prefix + typed, 1);
      times[i]?.push(performance.now() - started);
      newTokens[i] = promptTokens - reusedTokens;
      context = promptTokens;
    }
  }
  const { stepMs } = await engine.measure({ rows: 1, context, repeats: 15 });
  return { context, newTokens, firstTokenMs: times.map(median), stepMs: stepMs[0] ?? NaN };
}

/** Code of about CONTEXT tokens that ends within a statement. */
async function longPrefix(tokensOf: (text: string) => Promise<number>): Promise<string> {
  const piece = (n: number): string =>
    `def price_of_${n}(items, rate):\n    total = sum(item.price for item in items)\n    return total * rate + ${n}\n\n\n`;
  const code = (pieces: number): string =>
    `${Array.from({ length: pieces }, (_, n) => piece(n)).join('')}def last(items):\n    resul`;
  const few = 4;
  const [less, more] = [await tokensOf(code(few)), await tokensOf(code(2 * few))];
  return code(few + Math.round((CONTEXT - less) / ((more - less) / few)));
}
