/**
 * Tensor types of GGUF files, and how to turn their blocks back into float32.
 *
 * The layouts are ggml's (ggml-common.h); results equal those of Python's `gguf.dequantize` bit for
 * bit. Pure and synchronous: the hot loops of an installation, so they index typed arrays only and
 * allocate nothing. Every block starts with or contains half-precision scales, called d, and for
 * types with a minimum m (x = d·q + m, or d·q − m for the K types).
 */

/** Decodes `blocks` blocks of `source`, from byte `at`, into `out`, from index `to`. */
type BlockDecoder = (
  source: Uint8Array,
  at: number,
  blocks: number,
  out: Float32Array,
  to: number,
) => void;

export interface TensorType {
  readonly name: string;
  /** Values in a block. */
  readonly blockValues: number;
  /** Bytes of a block. */
  readonly blockBytes: number;
  readonly decode: BlockDecoder;
}

/** The value of each pattern of 16 bits as float16. */
export const halves = new Float32Array(0x10000);
{
  // float16: sign, 5 exponent bits (bias 15), 10 fraction bits.
  for (let bits = 0; bits < 0x10000; bits++) {
    const exponent = (bits >> 10) & 0x1f;
    const fraction = bits & 0x3ff;
    let value: number;
    if (exponent === 0) value = fraction * 2 ** -24;
    else if (exponent === 0x1f) value = fraction === 0 ? Infinity : NaN;
    else value = (1 + fraction / 1024) * 2 ** (exponent - 15);
    halves[bits] = bits & 0x8000 ? -value : value;
  }
}

/** Byte `i`. The bounds are checked once per call of `dequantise`, not per value. */
const byte = (source: Uint8Array, i: number): number => source[i] as number;
const signedByte = (source: Uint8Array, i: number): number => (byte(source, i) << 24) >> 24;
const half = (source: Uint8Array, i: number): number =>
  halves[byte(source, i) | (byte(source, i + 1) << 8)] as number;
const word = (source: Uint8Array, i: number): number =>
  byte(source, i) |
  (byte(source, i + 1) << 8) |
  (byte(source, i + 2) << 16) |
  (byte(source, i + 3) << 24);

const decodeF32: BlockDecoder = (source, at, blocks, out, to) => {
  // Bytes are copied as they are, so that even odd bit patterns of NaN survive.
  const target = new Uint8Array(out.buffer, out.byteOffset + to * 4, blocks * 4);
  target.set(source.subarray(at, at + blocks * 4));
};

const decodeF16: BlockDecoder = (source, at, blocks, out, to) => {
  for (let i = 0; i < blocks; i++) out[to + i] = half(source, at + 2 * i);
};

const decodeBF16: BlockDecoder = (source, at, blocks, out, to) => {
  const bits = new Int32Array(out.buffer, out.byteOffset + to * 4, blocks);
  for (let i = 0; i < blocks; i++) {
    bits[i] = (byte(source, at + 2 * i) << 16) | (byte(source, at + 2 * i + 1) << 24);
  }
};

/** Nibble j and nibble j + 16 share byte j. */
const decodeQ4_0: BlockDecoder = (source, at, blocks, out, to) => {
  for (let block = 0; block < blocks; block++, at += 18, to += 32) {
    const d = half(source, at);
    for (let j = 0; j < 16; j++) {
      const pair = byte(source, at + 2 + j);
      out[to + j] = d * ((pair & 15) - 8);
      out[to + 16 + j] = d * ((pair >> 4) - 8);
    }
  }
};

const decodeQ4_1: BlockDecoder = (source, at, blocks, out, to) => {
  for (let block = 0; block < blocks; block++, at += 20, to += 32) {
    const d = half(source, at);
    const m = half(source, at + 2);
    for (let j = 0; j < 16; j++) {
      const pair = byte(source, at + 4 + j);
      out[to + j] = d * (pair & 15) + m;
      out[to + 16 + j] = d * (pair >> 4) + m;
    }
  }
};

/** Like Q4_0, with the fifth bits of all 32 values in one word. */
const decodeQ5_0: BlockDecoder = (source, at, blocks, out, to) => {
  for (let block = 0; block < blocks; block++, at += 22, to += 32) {
    const d = half(source, at);
    const high = word(source, at + 2);
    for (let j = 0; j < 16; j++) {
      const pair = byte(source, at + 6 + j);
      out[to + j] = d * (((pair & 15) | (((high >> j) & 1) << 4)) - 16);
      out[to + 16 + j] = d * (((pair >> 4) | (((high >> (j + 16)) & 1) << 4)) - 16);
    }
  }
};

const decodeQ5_1: BlockDecoder = (source, at, blocks, out, to) => {
  for (let block = 0; block < blocks; block++, at += 24, to += 32) {
    const d = half(source, at);
    const m = half(source, at + 2);
    const high = word(source, at + 4);
    for (let j = 0; j < 16; j++) {
      const pair = byte(source, at + 8 + j);
      out[to + j] = d * ((pair & 15) | (((high >> j) & 1) << 4)) + m;
      out[to + 16 + j] = d * ((pair >> 4) | (((high >> (j + 16)) & 1) << 4)) + m;
    }
  }
};

const decodeQ8_0: BlockDecoder = (source, at, blocks, out, to) => {
  for (let block = 0; block < blocks; block++, at += 34, to += 32) {
    const d = half(source, at);
    for (let j = 0; j < 32; j++) out[to + j] = d * signedByte(source, at + 2 + j);
  }
};

/** Scale (6 bits) of sub-block i, 0..7, in the 12 packed bytes of Q4_K and Q5_K. */
const scaleK = (source: Uint8Array, at: number, i: number): number =>
  i < 4
    ? byte(source, at + i) & 63
    : (byte(source, at + i + 4) & 15) | ((byte(source, at + i - 4) >> 6) << 4);
/** Minimum (6 bits) of sub-block i. */
const minimumK = (source: Uint8Array, at: number, i: number): number =>
  i < 4
    ? byte(source, at + i + 4) & 63
    : (byte(source, at + i + 4) >> 4) | ((byte(source, at + i) >> 6) << 4);

/** 256 values in 8 sub-blocks of 32; sub-blocks 2g and 2g + 1 share 32 bytes of nibbles. */
const decodeQ4_K: BlockDecoder = (source, at, blocks, out, to) => {
  for (let block = 0; block < blocks; block++, at += 144, to += 256) {
    const d = half(source, at);
    const m = half(source, at + 2);
    for (let group = 0; group < 4; group++) {
      const low = d * scaleK(source, at + 4, 2 * group);
      const lowMinimum = m * minimumK(source, at + 4, 2 * group);
      const high = d * scaleK(source, at + 4, 2 * group + 1);
      const highMinimum = m * minimumK(source, at + 4, 2 * group + 1);
      const nibbles = at + 16 + 32 * group;
      const target = to + 64 * group;
      for (let j = 0; j < 32; j++) {
        const pair = byte(source, nibbles + j);
        out[target + j] = low * (pair & 15) - lowMinimum;
        out[target + 32 + j] = high * (pair >> 4) - highMinimum;
      }
    }
  }
};

/** Q4_K with fifth bits: bit s of byte j belongs to value j of sub-block s. */
const decodeQ5_K: BlockDecoder = (source, at, blocks, out, to) => {
  for (let block = 0; block < blocks; block++, at += 176, to += 256) {
    const d = half(source, at);
    const m = half(source, at + 2);
    for (let group = 0; group < 4; group++) {
      const low = d * scaleK(source, at + 4, 2 * group);
      const lowMinimum = m * minimumK(source, at + 4, 2 * group);
      const high = d * scaleK(source, at + 4, 2 * group + 1);
      const highMinimum = m * minimumK(source, at + 4, 2 * group + 1);
      const nibbles = at + 48 + 32 * group;
      const target = to + 64 * group;
      for (let j = 0; j < 32; j++) {
        const pair = byte(source, nibbles + j);
        const fifths = byte(source, at + 16 + j) >> (2 * group);
        out[target + j] = low * ((pair & 15) | ((fifths & 1) << 4)) - lowMinimum;
        out[target + 32 + j] = high * ((pair >> 4) | ((fifths & 2) << 3)) - highMinimum;
      }
    }
  }
};

/** 128 bytes of low nibbles, 64 of high bit pairs, 16 signed scales, d; two halves of 128 values. */
const decodeQ6_K: BlockDecoder = (source, at, blocks, out, to) => {
  for (let block = 0; block < blocks; block++, at += 210, to += 256) {
    const d = half(source, at + 208);
    for (let part = 0; part < 2; part++) {
      const nibbles = at + 64 * part;
      const pairs = at + 128 + 32 * part;
      const scales = at + 192 + 8 * part;
      for (let run = 0; run < 2; run++) {
        const d0 = d * signedByte(source, scales + run);
        const d1 = d * signedByte(source, scales + run + 2);
        const d2 = d * signedByte(source, scales + run + 4);
        const d3 = d * signedByte(source, scales + run + 6);
        for (let j = 16 * run; j < 16 * run + 16; j++) {
          const first = byte(source, nibbles + j);
          const second = byte(source, nibbles + 32 + j);
          const top = byte(source, pairs + j);
          const target = to + 128 * part + j;
          out[target] = d0 * (((first & 15) | ((top & 3) << 4)) - 32);
          out[target + 32] = d1 * (((second & 15) | ((top & 12) << 2)) - 32);
          out[target + 64] = d2 * (((first >> 4) | (top & 48)) - 32);
          out[target + 96] = d3 * (((second >> 4) | ((top & 192) >> 2)) - 32);
        }
      }
    }
  }
};

/** Supported types by their number in a GGUF file. */
const types = new Map<number, TensorType>([
  [0, { name: 'F32', blockValues: 1, blockBytes: 4, decode: decodeF32 }],
  [1, { name: 'F16', blockValues: 1, blockBytes: 2, decode: decodeF16 }],
  [2, { name: 'Q4_0', blockValues: 32, blockBytes: 18, decode: decodeQ4_0 }],
  [3, { name: 'Q4_1', blockValues: 32, blockBytes: 20, decode: decodeQ4_1 }],
  [6, { name: 'Q5_0', blockValues: 32, blockBytes: 22, decode: decodeQ5_0 }],
  [7, { name: 'Q5_1', blockValues: 32, blockBytes: 24, decode: decodeQ5_1 }],
  [8, { name: 'Q8_0', blockValues: 32, blockBytes: 34, decode: decodeQ8_0 }],
  [12, { name: 'Q4_K', blockValues: 256, blockBytes: 144, decode: decodeQ4_K }],
  [13, { name: 'Q5_K', blockValues: 256, blockBytes: 176, decode: decodeQ5_K }],
  [14, { name: 'Q6_K', blockValues: 256, blockBytes: 210, decode: decodeQ6_K }],
  [30, { name: 'BF16', blockValues: 1, blockBytes: 2, decode: decodeBF16 }],
]);

/** The type that a GGUF file calls `number`, or undefined when it is not supported. */
export function tensorType(number: number): TensorType | undefined {
  return types.get(number);
}

export const supportedTypes: readonly string[] = [...types.values()].map(({ name }) => name);

/**
 * Dequantises whole blocks.
 *
 * @param out receives the values, [count]; its length is a multiple of the type's block
 * @throws {RangeError} when the lengths of `source` and `out` do not belong together
 */
export function dequantise(type: TensorType, source: Uint8Array, out: Float32Array): void {
  const blocks = out.length / type.blockValues;
  if (!Number.isInteger(blocks) || source.length !== blocks * type.blockBytes) {
    throw new RangeError(
      `${source.length} bytes of ${type.name} do not hold exactly ${out.length} values.`,
    );
  }
  type.decode(source, 0, blocks, out, 0);
}
