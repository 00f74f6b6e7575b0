/**
 * float16 (IEEE 754 binary16) as it lies in files and tensors: 16 bits in a Uint16Array.
 */
import { halves } from './dequantise';

/** The largest float16, and the least magnitude that is rounded to none. */
const largestHalf = 65_504;
const overflow = 65_520;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * Rounds values to float16, halves to even, as NumPy does.
 *
 * @param patterns receives the bits, as many as there are values
 * @throws {RangeError} when a value is not finite or larger than float16 can hold
 */
export function toHalves(values: Float32Array, patterns: Uint16Array): void {
  if (patterns.length !== values.length) {
    throw new RangeError(`${values.length} values do not fit ${patterns.length} halves.`);
  }
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    const size = Math.abs(value);
    if (!(size < overflow)) {
      throw new RangeError(`${value} is not within ±${largestHalf}, which is all that float16 has.`);
    }
    float[0] = value;
    const word = bits[0] as number;
    const sign = (word >>> 16) & 0x8000;
    if (size < 2 ** -14) {
      // Subnormal: multiples of 2^-24. Adding what has no smaller steps rounds, halves to even.
      patterns[i] = sign | (size * 2 ** 24 + 2 ** 52 - 2 ** 52);
      continue;
    }
    // Exponent from a bias of 127 to one of 15; 13 bits of the fraction are rounded away.
    const rounded = (word & 0x7fff_ffff) - (112 << 23) + 0xfff + ((word >>> 13) & 1);
    patterns[i] = sign | (rounded >>> 13);
  }
}

/**
 * The values of float16 bits.
 *
 * @param values receives them, as many as there are halves
 * @throws {RangeError} when one is not finite or the lengths disagree
 */
export function fromHalves(patterns: Uint16Array, values: Float32Array): void {
  if (values.length !== patterns.length) {
    throw new RangeError(`${patterns.length} halves do not fit ${values.length} values.`);
  }
  for (let i = 0; i < patterns.length; i++) {
    const value = halves[patterns[i] as number] as number;
    if (!Number.isFinite(value)) throw new RangeError(`Value ${i} is not finite.`);
    values[i] = value;
  }
}
