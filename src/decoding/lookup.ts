/**
 * Drafts by lookup: when the last tokens stand somewhere earlier, what followed them there may follow
 * here. Of the latest places where the last three stand, else the last two, else the last one, the one
 * with the longest agreement behind it wins, the latest of equals: how long the agreement is says how
 * far it is to be trusted.
 *
 * The index follows the sequence, token by token, forwards and backwards: appending or dropping one
 * costs the same however long the sequence is. It holds prompt and output as one sequence; a suffix
 * that is not part of the prompt may stand in front of it.
 *
 * Knows ids. It must not know what is done with a draft.
 */

/** Above every token id; three ids make one number below 2^53. */
const RADIX = 208_063;
/** Lengths of the n-grams that are looked up, the longest first. */
const LENGTHS = [3, 2, 1] as const;
/** Places that are compared. */
const PLACES = 8;
/** Agreement is followed so far. */
export const LONGEST_MATCH = 16;

export interface LookedUp {
  /** What followed; often none. */
  readonly tokens: readonly number[];
  /** Last tokens that agree, 1..LONGEST_MATCH; 0 without a draft. */
  readonly match: number;
}

export class LookupIndex {
  private readonly tokens: number[] = [];
  private readonly grams = LENGTHS.map((length) => new GramIndex(length, this.tokens));

  get length(): number {
    return this.tokens.length;
  }

  /** @throws {RangeError} for an id that no supported vocabulary has */
  append(token: number): void {
    if (!Number.isInteger(token) || token < 0 || token >= RADIX) {
      throw new RangeError(`Lookup drafts need token ids below ${RADIX}, not ${token}.`);
    }
    this.tokens.push(token);
    for (const gram of this.grams) gram.add();
  }

  /**
   * Drops every token behind the first `length` ones.
   *
   * @throws {RangeError} when there are not as many
   */
  rewind(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.tokens.length) {
      throw new RangeError(
        `The index holds ${this.tokens.length} tokens and cannot keep ${length}.`,
      );
    }
    while (this.tokens.length > length) {
      for (const gram of this.grams) gram.remove();
      this.tokens.pop();
    }
  }

  /** Makes the index hold exactly `tokens`, keeping the longest prefix that it already holds. */
  hold(tokens: readonly number[]): void {
    let kept = 0;
    const most = Math.min(tokens.length, this.tokens.length);
    while (kept < most && this.tokens[kept] === tokens[kept]) kept++;
    this.rewind(kept);
    for (let place = kept; place < tokens.length; place++) this.append(tokens[place] ?? 0);
  }

  /** What followed the last tokens when they stood earlier, at most `limit` tokens. */
  draft(limit: number): LookedUp {
    for (const gram of this.grams) {
      const ends = gram.earlier(PLACES);
      if (ends.length === 0) continue;
      let [best, match] = [-1, 0];
      for (const end of ends) {
        const agreed = this.agreement(end);
        if (agreed > match) [best, match] = [end, agreed];
      }
      return { tokens: this.tokens.slice(best + 1, best + 1 + limit), match };
    }
    return { tokens: [], match: 0 };
  }

  /** How many tokens up to place `end` are the last ones of the sequence. */
  private agreement(end: number): number {
    const { tokens } = this;
    const last = tokens.length - 1;
    let length = 0;
    while (
      length < LONGEST_MATCH &&
      length <= end &&
      tokens[end - length] === tokens[last - length]
    ) {
      length++;
    }
    return length;
  }
}

/** Where each n-gram of one length ended last. */
class GramIndex {
  private readonly latest = new Map<number, number>();
  /** For each place, where the n-gram that ends there ended before; -1 where it did not. */
  private readonly before: number[] = [];

  constructor(
    private readonly length: number,
    private readonly tokens: readonly number[],
  ) {}

  /** Enters the n-gram of the last tokens. */
  add(): void {
    const key = this.key();
    this.before.push(key < 0 ? -1 : (this.latest.get(key) ?? -1));
    if (key >= 0) this.latest.set(key, this.tokens.length - 1);
  }

  /** Takes the n-gram of the last tokens out again. */
  remove(): void {
    const key = this.key();
    const end = this.before.pop() ?? -1;
    if (end >= 0) this.latest.set(key, end);
    else this.latest.delete(key);
  }

  /** Where the n-gram of the last tokens ended before, the latest first; at most `most` places. */
  earlier(most: number): number[] {
    const ends: number[] = [];
    let end = this.before.at(-1) ?? -1;
    for (; end >= 0 && ends.length < most; end = this.before[end] ?? -1) ends.push(end);
    return ends;
  }

  /** The n-gram of the last tokens as one number, or -1 when there are not enough tokens. */
  private key(): number {
    const start = this.tokens.length - this.length;
    if (start < 0) return -1;
    let key = 0;
    for (let place = start; place < this.tokens.length; place++) {
      key = key * RADIX + (this.tokens[place] ?? 0);
    }
    return key;
  }
}
