/**
 * Reads a co-occurrence table from its file: a trie of tokens, pairs and triples with one byte for
 * each lift. Everything is little-endian; each section begins at a multiple of 4 bytes behind padding
 * zeros, and nothing follows the last one.
 *
 *   header, 48 bytes
 *      0  magic "DYCO"
 *      4  uint32   version, 1
 *      8  uint32   V, token ids of the vocabulary
 *     12  uint32   P, pairs
 *     16  uint32   T, triples
 *     20  float32  resolution: relative frequency that an n-gram has at most when it is not held
 *     24  float32  low, step of the pairs' lifts: log2 lift = low + step · code
 *     32  float32  low, step of the triples' lifts
 *     40  8 bytes  0
 *   unigrams      float32[V]    relative frequencies, each in [0, 1]
 *   pairStart     uint32[V + 1] pairs pairStart[a] ..< pairStart[a + 1] begin with a
 *   pairSecond    uint32[P]     their second tokens, ascending for each a
 *   tripleStart   uint32[P + 1] triples tripleStart[p] ..< tripleStart[p + 1] begin with pair p
 *   tripleThird   uint32[T]     their third tokens, ascending for each p
 *   pairCode      uint8[P]
 *   tripleCode    uint8[T]
 *
 * Counts are at most 2^28. All of it is checked: a table that was read never leads out of its bounds.
 */
import type { CooccurrenceTable } from './cooccurrence';

const MAGIC = 0x4f435944; // "DYCO" as little-endian uint32.
const VERSION = 1;
const HEADER = 48;
const MOST = 2 ** 28;
/** Bound of log2 lift. */
const WIDEST = 128;

/** @throws {Error} when the bytes are not a sound table; the message says where they are not */
export function readCooccurrence(bytes: Uint8Array): CooccurrenceTable {
  if (bytes.length < HEADER) fail(`${bytes.length} bytes are less than its header`);
  // Sections are read in place, which needs an aligned start.
  const data = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const word = (offset: number) => view.getUint32(offset, true);
  const real = (offset: number) => view.getFloat32(offset, true);
  if (word(0) !== MAGIC) fail('it does not begin with "DYCO"');
  if (word(4) !== VERSION) fail(`its version is ${word(4)}, not ${VERSION}`);
  const [vocabulary, pairs, triples, resolution] = [word(8), word(12), word(16), real(20)];
  for (const count of [vocabulary, pairs, triples]) {
    if (count > MOST) fail(`its header counts ${count} entries`);
  }
  if (!(resolution >= 0 && resolution <= 1)) fail(`its resolution is ${resolution}`);
  if (word(40) !== 0 || word(44) !== 0) fail('the end of its header is not 0');
  const pairLifts = liftsOf(real(24), real(28));
  const tripleLifts = liftsOf(real(32), real(36));

  let offset = HEADER;
  const section = (length: number, width: number): number => {
    const start = offset;
    offset += Math.ceil((length * width) / 4) * 4;
    return data.byteOffset + start;
  };
  const offsets = {
    unigrams: section(vocabulary, 4),
    pairStart: section(vocabulary + 1, 4),
    pairSecond: section(pairs, 4),
    tripleStart: section(pairs + 1, 4),
    tripleThird: section(triples, 4),
    pairCode: section(pairs, 1),
    tripleCode: section(triples, 1),
  };
  if (data.length !== offset) fail(`it has ${data.length} bytes instead of ${offset}`);
  const words = (at: number, length: number) => new Uint32Array(data.buffer, at, length);
  const unigrams = new Float32Array(data.buffer, offsets.unigrams, vocabulary);
  const pairRows: Rows = {
    start: words(offsets.pairStart, vocabulary + 1),
    tokens: words(offsets.pairSecond, pairs),
  };
  const tripleRows: Rows = {
    start: words(offsets.tripleStart, pairs + 1),
    tokens: words(offsets.tripleThird, triples),
  };
  const pairCode = new Uint8Array(data.buffer, offsets.pairCode, pairs);
  const tripleCode = new Uint8Array(data.buffer, offsets.tripleCode, triples);
  for (const frequency of unigrams) {
    if (!(frequency >= 0 && frequency <= 1)) fail(`a relative frequency is ${frequency}`);
  }
  checkRows('pairs', pairRows, vocabulary);
  checkRows('triples', tripleRows, vocabulary);

  const mayHold = pairFilter(pairRows);
  const findPair = (a: number, b: number) =>
    a < vocabulary && mayHold(a, b) ? find(pairRows, a, b) : -1;
  // A row of J asks for the triples of one pair after the other.
  let [lastFirst, lastSecond, lastPair] = [-1, -1, -1];
  return {
    resolution,
    unigram: (id) => unigrams[id] ?? 0,
    pairLift(a, b) {
      const pair = findPair(a, b);
      return pair < 0 ? undefined : pairLifts[pairCode[pair] ?? 0];
    },
    tripleLift(a, b, c) {
      if (a !== lastFirst || b !== lastSecond) {
        [lastFirst, lastSecond, lastPair] = [a, b, findPair(a, b)];
      }
      const triple = lastPair < 0 ? -1 : find(tripleRows, lastPair, c);
      return triple < 0 ? undefined : tripleLifts[tripleCode[triple] ?? 0];
    },
  };
}

/** Rows of ascending tokens, one behind the other: row r is tokens[start[r] ..< start[r + 1]]. */
interface Rows {
  readonly start: Uint32Array;
  readonly tokens: Uint32Array;
}

/**
 * Says of most pairs that are not there that they are not, by one bit of 8 to 16 for each pair that
 * is. A decision asks for thousands of pairs, and most are not there.
 */
function pairFilter({ start, tokens }: Rows): (a: number, b: number) => boolean {
  const bits = Math.max(5, Math.ceil(Math.log2(tokens.length * 8)));
  const filter = new Int32Array(2 ** (bits - 5));
  const bitOf = (a: number, b: number) =>
    Math.imul(Math.imul(a, 0x9e3779b1) ^ b, 0x85ebca6b) >>> (32 - bits);
  for (let a = 0; a + 1 < start.length; a++) {
    for (let place = start[a] ?? 0; place < (start[a + 1] ?? 0); place++) {
      const bit = bitOf(a, tokens[place] ?? 0);
      filter[bit >>> 5] = (filter[bit >>> 5] ?? 0) | (1 << (bit & 31));
    }
  }
  return (a, b) => {
    const bit = bitOf(a, b);
    return (((filter[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1;
  };
}

/** Place of `token` in row `row`, or -1. */
function find({ start, tokens }: Rows, row: number, token: number): number {
  let low = start[row] ?? 0;
  let high = start[row + 1] ?? 0;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = tokens[middle] ?? 0;
    if (found === token) return middle;
    if (found < token) low = middle + 1;
    else high = middle;
  }
  return -1;
}

function checkRows(name: string, { start, tokens }: Rows, vocabulary: number): void {
  if (start[0] !== 0 || start.at(-1) !== tokens.length) fail(`its rows of ${name} do not fit`);
  for (let row = 0; row + 1 < start.length; row++) {
    const begin = start[row] ?? 0;
    const end = start[row + 1] ?? 0;
    if (end < begin || end > tokens.length) fail(`row ${row} of its ${name} ends before it begins`);
    for (let place = begin, before = -1; place < end; place++) {
      const token = tokens[place] ?? 0;
      if (token <= before || token >= vocabulary) fail(`row ${row} of its ${name} is not in order`);
      before = token;
    }
  }
}

/** Lift of each code. Shape [256]. */
function liftsOf(low: number, step: number): Float64Array {
  const high = low + 255 * step;
  if (!(low >= -WIDEST && step >= 0 && high <= WIDEST)) {
    fail(`its lifts go from 2^${low} to 2^${high}`);
  }
  return Float64Array.from({ length: 256 }, (_, code) => 2 ** (low + code * step));
}

function fail(what: string): never {
  throw new Error(`The co-occurrence table is damaged: ${what}. Install the model again.`);
}
