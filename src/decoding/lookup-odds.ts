/**
 * How far looked-up tokens are to be trusted, by how many tokens agreed before them. Begins with what
 * was measured on source code (bench/steps/README.md) and follows the text at hand.
 *
 * Knows counts. It must not know tokens.
 */

/** The least agreement of each class, and how often the first and the later tokens held. */
const CLASSES = [
  { from: 1, first: 0.33, later: 0.5 },
  { from: 2, first: 0.48, later: 0.7 },
  { from: 3, first: 0.63, later: 0.77 },
  { from: 4, first: 0.79, later: 0.8 },
  { from: 6, first: 0.84, later: 0.87 },
  { from: 10, first: 0.95, later: 0.89 },
] as const;

/** What was measured counts as so many observations; later ones move what is known by the share. */
const PRIOR_COUNT = 12;
const LEAST_WEIGHT = 0.04;

interface Odds {
  share: number;
  count: number;
}

export class LookupOdds {
  private readonly known = CLASSES.map(({ first, later }): readonly [Odds, Odds] => [
    { share: first, count: PRIOR_COUNT },
    { share: later, count: PRIOR_COUNT },
  ]);

  /** Probability that the draft at `place` (0 is the first) holds when those before it did. */
  holds(match: number, place: number): number {
    return this.odds(match, place)?.share ?? 0;
  }

  learn(match: number, place: number, held: boolean): void {
    const odds = this.odds(match, place);
    if (!odds) return;
    odds.count++;
    odds.share += Math.max(LEAST_WEIGHT, 1 / odds.count) * (Number(held) - odds.share);
  }

  private odds(match: number, place: number): Odds | undefined {
    const index = CLASSES.findLastIndex(({ from }) => match >= from);
    return this.known[index]?.[place === 0 ? 0 : 1];
  }
}
