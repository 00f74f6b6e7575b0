/**
 * The suggestions of one document, newest last: what reuse while typing, backspace and look-ahead
 * draw from. Bounded, and without any clock: a suggestion is right as long as the text around it is.
 */
import { accepted, joined, restOf, type Suggestion } from './suggestion';
import type { CursorContext } from './types';

/** More than a user goes back over by backspace. */
const MOST = 24;

export class Suggestions {
  #kept: Suggestion[] = [];

  /** Keeps a suggestion; an older one of the same place goes. */
  add(suggestion: Suggestion): void {
    this.#kept = this.#kept.filter((other) => !samePlace(other, suggestion));
    this.#kept.push(suggestion);
    if (this.#kept.length > MOST) this.#kept.shift();
  }

  /** What fits at `context`: the newest suggestion whose beginning the user has typed. */
  at(context: CursorContext): Suggestion | undefined {
    for (let index = this.#kept.length - 1; index >= 0; index -= 1) {
      const kept = this.#kept[index];
      const rest = kept && restOf(kept, context);
      if (!rest) continue;
      return rest.open ? this.#prolonged(rest) : rest;
    }
    return undefined;
  }

  clear(): void {
    this.#kept = [];
  }

  /** A suggestion that time cut short, with what look-ahead found behind it. */
  #prolonged(rest: Suggestion): Suggestion {
    const after = accepted(rest);
    const next = this.#kept.find(({ context }) => sameContext(context, after));
    return next ? joined(rest, next) : rest;
  }
}

const samePlace = (a: Suggestion, b: Suggestion): boolean => sameContext(a.context, b.context);

function sameContext(a: CursorContext, b: CursorContext): boolean {
  return a.prefix === b.prefix && a.suffix === b.suffix && a.language === b.language;
}
