/** Damage to sound inputs, from a seed. */

/** mulberry32: numbers in [0, 1). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Random = () => number;

/** Where readers of counts and offsets go wrong: at borders of types, and just beside them. */
const EXTREMES = [
  0n,
  1n,
  0x7fn,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n,
  2n ** 64n - 1n,
];

const WORDS = [
  '-1',
  '0',
  '1.5',
  '1e308',
  '1e999',
  '9007199254740993',
  '4294967296',
  '-0',
  'null',
  'true',
  '""',
  '[]',
  '{}',
  '"__proto__"',
  '[[[[[[[[]]]]]]]]',
  '"\\ud800"',
];

const below = (random: Random, count: number): number => Math.floor(random() * count);

function pick<T>(random: Random, from: readonly T[]): T {
  const found = from[below(random, from.length)];
  if (found === undefined) throw new Error('There is nothing to pick from.');
  return found;
}

/** One to three changes, mostly one: of bits and integers anywhere, of words of text, of length and order. */
export function mutate(sound: Uint8Array, random: Random, text = false): Buffer {
  let content: Buffer = Buffer.from(sound);
  for (let left = pick(random, [1, 1, 1, 2, 3]); left > 0 && content.length > 0; left--) {
    content = change(content, random, text);
  }
  return content;
}

function change(content: Buffer, random: Random, text: boolean): Buffer {
  const at = below(random, content.length);
  const end = Math.min(content.length, at + 1 + below(random, 64));
  switch (below(random, text ? 8 : 6)) {
    case 0:
      content[at] = (content[at] ?? 0) ^ (1 << below(random, 8));
      return content;
    case 1:
      content[at] = below(random, 256);
      return content;
    case 2: {
      const size = pick(random, [1, 2, 4, 8]);
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(pick(random, EXTREMES));
      bytes.copy(content, at, 0, Math.min(size, content.length - at));
      return content;
    }
    case 3:
      return content.subarray(0, at);
    case 4:
      return Buffer.concat([content.subarray(0, end), content.subarray(at)]); // a piece twice
    case 5:
      return Buffer.concat([content.subarray(0, at), content.subarray(end)]); // a piece missing
    default:
      return replaceWord(content, random);
  }
}

/** Puts another value where a JSON text has a number or a string. */
function replaceWord(content: Buffer, random: Random): Buffer {
  const source = content.toString('latin1');
  const words = [...source.matchAll(/-?\d+(?:\.\d+)?|"[^"]*"|true|false|null/g)];
  if (words.length === 0) return content;
  const { index, 0: word } = pick(random, words);
  const other = random() < 0.3 ? pick(random, words)[0] : pick(random, WORDS);
  return Buffer.from(source.slice(0, index) + other + source.slice(index + word.length), 'latin1');
}
