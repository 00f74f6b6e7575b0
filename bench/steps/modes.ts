/**
 * The notation of ways to decode: a mode's name and what is switched in it, as `fast:0.5,otsu=off`.
 * Pure; what comes of it is a part of an engine's request.
 */
import type { CompletionRequest } from '../../src/engine/protocol';

/**
 * `ar`, `exact`, `exact,rows=N` (so many rows of a step at most), `exact-heads`, `exact-lookup` (one
 * source of drafts alone), `fast:EPSILON`, the last one with switches behind it: see SWITCHES.
 */
export type ModeSpec = string;

export type Decoding = Pick<CompletionRequest, 'mode' | 'epsilon' | 'rows' | 'drafts' | 'fast'>;
type Fast = NonNullable<CompletionRequest['fast']>;

/** What `NAME=VALUE` changes in fast mode; undefined for a value that the switch does not take. */
const SWITCHES: Readonly<Record<string, (value: string) => Fast | undefined>> = {
  mask: (value) => (value === 'off' ? { alpha: 0 } : undefined),
  alpha: (value) => within(value, 0, 4, (alpha) => ({ alpha })),
  unseen: (value) =>
    value === 'parts' ? { unseen: value } : within(value, 0, 1e6, (unseen) => ({ unseen })),
  static: (value) => (value === 'off' ? { useStatic: false } : undefined),
  otsu: (value) => (value === 'off' ? { useOtsu: false } : undefined),
  blur: (value) => (value === 'off' ? { useBlur: false } : undefined),
  penalty: (value) =>
    value === 'off' ? { penalty: 1 } : within(value, 1, 1000, (penalty) => ({ penalty })),
  repeats: (value) => (value === 'token' || value === 'ngram' ? { repeats: value } : undefined),
  tokens: (value) => counted(value, 4, (maxOrder) => ({ maxOrder })),
  topk: (value) => counted(value, 50, (topK) => ({ topK })),
  temperature: (value) => within(value, 0.01, 10, (temperature) => ({ temperature })),
  chains: (value) => counted(value, 4, (chains) => ({ chains })),
};

/** A list of modes with commas between them; a switch belongs to the mode before it. */
export function splitModes(list: string): ModeSpec[] {
  return list.split(/,(?![a-z]+=)/);
}

/** @throws {RangeError} for a mode or switch that there is none of */
export function decodingFor(spec: ModeSpec): Decoding {
  const [mode = '', ...switches] = spec.split(',');
  const [name = '', value] = mode.split(':');
  const epsilon = value === undefined ? undefined : within(value, 0, 1, Number);
  if (name === 'fast' && epsilon !== undefined) {
    if (switches.length === 0) return { mode: 'fast', epsilon };
    return { mode: 'fast', epsilon, fast: switches.reduce(switched, {}) };
  }
  const rows = rowsOf(spec);
  if (rows !== undefined) return { mode: 'exact', rows };
  if (value === undefined && switches.length === 0) {
    if (name === 'ar' || name === 'exact') return { mode: name };
    if (name === 'exact-heads' || name === 'exact-lookup') {
      const drafts = { heads: name === 'exact-heads', lookup: name === 'exact-lookup' };
      return { mode: 'exact', drafts };
    }
  }
  throw new RangeError(
    `There is no mode "${spec}": ar, exact, exact,rows=N, exact-heads, exact-lookup or fast:E, the last one with ` +
      `switches behind it (${Object.keys(SWITCHES).join(', ')}), as fast:0.5,otsu=off.`,
  );
}

/** Rows of a step at most, where an exact mode names them; undefined for every other mode. */
export function rowsOf(spec: ModeSpec): number | undefined {
  const rows = /^exact,rows=(\d)$/.exec(spec)?.[1];
  return rows === undefined ? undefined : counted(rows, 8, Number);
}

/** ε_b of fast mode with nothing switched; undefined for every other mode. */
export function plainThreshold(spec: ModeSpec): number | undefined {
  const { mode, epsilon, fast } = decodingFor(spec);
  return mode === 'fast' && fast === undefined ? epsilon : undefined;
}

function switched(fast: Fast, text: string): Fast {
  const [name = '', value = ''] = text.split('=');
  const change = SWITCHES[name]?.(value);
  if (!change) {
    const known = Object.keys(SWITCHES).join(', ');
    throw new RangeError(`There is no switch "${text}" of fast mode; the switches are ${known}.`);
  }
  return { ...fast, ...change };
}

function within<T>(
  text: string,
  low: number,
  high: number,
  use: (value: number) => T,
): T | undefined {
  const value = text.trim() === '' ? NaN : Number(text);
  return value >= low && value <= high ? use(value) : undefined;
}

function counted<T>(text: string, high: number, use: (value: number) => T): T | undefined {
  return /^\d+$/.test(text) ? within(text, 1, high, use) : undefined;
}
