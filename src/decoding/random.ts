/**
 * Seeded random numbers for sampling: xoshiro128**, its state filled by SplitMix32.
 *
 * The same seed gives the same text on every machine. Not for secrets.
 */

/** Returns a generator of uniform numbers in [0, 1) with 32 bits each. */
export function seededRandom(seed: number): () => number {
  let fill = seed | 0;
  const splitMix = (): number => {
    fill = (fill + 0x9e3779b9) | 0;
    let z = fill;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return z ^ (z >>> 15);
  };
  let [a, b, c, d] = [splitMix(), splitMix(), splitMix(), splitMix()];

  return () => {
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = (d << 11) | (d >>> 21);
    return result / 0x1_0000_0000;
  };
}
