/**
 * Reading GGUF files: the header through @huggingface/gguf, tensors row by row.
 *
 * A GGUF file comes from elsewhere, so every count, dimension, offset and size is checked against
 * the file's length before anything is allocated or read. Knows nothing of plans or catalogues.
 */
import { gguf as parseHeader } from '@huggingface/gguf';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { TensorType } from './dequantise';
import { dequantise, supportedTypes, tensorType } from './dequantise';
import { describeError, ModelError } from './errors';
import { readExactly } from './files';
import { arrayType, checkOutline, scalarBytes, stringType, type OutlineCounts } from './gguf-outline';
import type { SourceTensor, TensorSource } from './tensors';
import { maxBlockValues, requireTensor, rowLength, rowsInto } from './tensors';

export interface GgufTensor extends SourceTensor {
  readonly type: TensorType;
  /** Absolute, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** Limits no model of the catalogue's kind comes near; beyond them a header is hostile. */
const limits = { metadataKeys: 10_000, tensors: 100_000, dims: 4, fileVersion: [2, 3] as const };

/**
 * Opens a GGUF file and checks its whole tensor index.
 *
 * @throws {ModelError} when the file is not a sound GGUF file, or has a tensor type not supported
 */
export async function openGguf(path: string): Promise<GgufFile> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    checkOutline(file.fd, size, await checkPreamble(file, size));
    const header = await parseHeader(path, { allowLocalFile: true, typedMetadata: true });
    checkMetadataBytes(header.typedMetadata, header.tensorInfoByteRange[0]);

    const metadata: Readonly<Record<string, unknown>> = { ...header.metadata };
    const dataOffset = Number(header.tensorDataOffset);
    if (dataOffset > size) throw new Error('the file ends before its tensor data');
    const alignment = Number(metadata['general.alignment'] ?? 32);
    if (alignment > 2 ** 20 || !Number.isInteger(Math.log2(alignment))) {
      throw new Error(`the alignment ${alignment} is not a power of two`);
    }

    const tensors = new Map<string, GgufTensor>();
    for (const info of header.tensorInfos) {
      const tensor = checkTensor(info, dataOffset, size);
      if (tensors.has(tensor.name)) throw new Error(`it has two tensors called "${tensor.name}"`);
      tensors.set(tensor.name, tensor);
    }
    return new GgufFile(path, metadata, tensors, file);
  } catch (error) {
    await file.close();
    throw new ModelError(`${path} is not a usable GGUF file: ${describeError(error)}.`, {
      cause: error,
    });
  }
}

/** An open GGUF file. Made by `openGguf`; must be closed. */
export class GgufFile implements TensorSource {
  constructor(
    readonly path: string,
    readonly metadata: Readonly<Record<string, unknown>>,
    readonly tensors: ReadonlyMap<string, GgufTensor>,
    private readonly file: FileHandle,
  ) {}

  /**
   * Dequantises `count` rows of a tensor, from row `from` on. A 1-D tensor has one row.
   *
   * @param into receives the values when given; its length must be count · dims[0]
   * @returns [count, dims[0]], row-major
   * @throws {RangeError} when the tensor has no such rows
   */
  async rows(
    tensor: GgufTensor,
    from: number,
    count: number,
    into?: Float32Array,
  ): Promise<Float32Array> {
    const columns = rowLength(tensor);
    const values = rowsInto(tensor, from, count, into);
    const rowBytes = (columns / tensor.type.blockValues) * tensor.type.blockBytes;
    const raw = Buffer.allocUnsafeSlow(count * rowBytes);
    await readExactly(this.file, raw, tensor.offset + from * rowBytes, this.path);
    dequantise(tensor.type, raw, values);
    return values;
  }

  async readRows(
    name: string,
    from: number,
    count: number,
    into?: Float32Array,
  ): Promise<Float32Array> {
    return await this.rows(requireTensor(this.tensors, name), from, count, into);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** Magic, version and the two counts, before the parser believes them. */
async function checkPreamble(file: FileHandle, size: number): Promise<OutlineCounts> {
  if (size < 24) throw new Error(`it has only ${size} bytes`);
  const start = Buffer.alloc(24);
  await readExactly(file, start, 0, 'the file');
  if (start.toString('latin1', 0, 4) !== 'GGUF') throw new Error('it does not start with "GGUF"');
  const version = start.readUInt32LE(4);
  if (!limits.fileVersion.some((known) => known === version)) {
    throw new Error(`its format version is ${version}; versions 2 and 3 are supported`);
  }
  const tensors = start.readBigUInt64LE(8);
  const keys = start.readBigUInt64LE(16);
  // The smallest tensor entry takes 24 bytes, the smallest metadata entry 13.
  if (tensors > limits.tensors || Number(tensors) * 24 > size) {
    throw new Error(`it claims ${tensors} tensors`);
  }
  if (keys > limits.metadataKeys || Number(keys) * 13 > size) {
    throw new Error(`it claims ${keys} metadata entries`);
  }
  return { metadataKeys: Number(keys), tensors: Number(tensors) };
}

interface TypedEntry {
  readonly value: unknown;
  readonly type: number;
  readonly subType?: number;
}

/**
 * Checks that the parsed metadata take exactly the bytes between the preamble and the tensor index.
 *
 * The parser reads a file piece by piece, and a string that ends an array just across the border of
 * a piece comes back cut without an error; so does one in a truncated file. Their lengths then no
 * longer add up, and that is what is looked at here. A repeated key shows in the same way.
 */
function checkMetadataBytes(typed: object, tensorIndex: number): void {
  let bytes = 24;
  for (const [key, entry] of Object.entries(typed) as [string, TypedEntry][]) {
    if (key === 'version' || key === 'tensor_count' || key === 'kv_count') continue;
    bytes += 8 + Buffer.byteLength(key) + 4 + valueBytes(entry.value, entry.type, entry.subType);
  }
  if (bytes !== tensorIndex) {
    throw new Error(
      'its metadata are cut short, repeated or not UTF-8 (their lengths do not add up)',
    );
  }
}

function valueBytes(value: unknown, type: number, subType: number | undefined): number {
  if (type === stringType) return 8 + Buffer.byteLength(String(value));
  if (type !== arrayType) {
    const bytes = scalarBytes.get(type);
    if (bytes === undefined) throw new Error(`it has metadata of the unknown type ${type}`);
    return bytes;
  }
  if (!Array.isArray(value) || subType === undefined || subType === arrayType) {
    throw new Error('it has nested metadata arrays, which are not supported');
  }
  let bytes = 12;
  if (subType !== stringType) return bytes + value.length * valueBytes(undefined, subType, undefined);
  for (const item of value) bytes += 8 + Buffer.byteLength(String(item));
  return bytes;
}

function checkTensor(
  info: { name: string; shape: bigint[]; dtype: number; offset: bigint },
  dataOffset: number,
  fileSize: number,
): GgufTensor {
  const name = info.name;
  const type = tensorType(info.dtype);
  if (type === undefined) {
    throw new Error(
      `tensor "${name}" has type ${info.dtype}; supported are ${supportedTypes.join(', ')}`,
    );
  }
  const dims = info.shape.map(Number);
  const columns = dims[0];
  if (columns === undefined || dims.length > limits.dims || dims.some((dim) => dim < 1)) {
    throw new Error(`tensor "${name}" has the shape [${dims.join(', ')}]`);
  }
  if (columns % type.blockValues !== 0 || columns > maxBlockValues) {
    throw new Error(
      `tensor "${name}" has rows of ${columns} values, which ${type.name} cannot hold`,
    );
  }
  // Each factor is below 2^32 (the parser's limit); a product beyond 2^53 fails the next check.
  const values = dims.reduce((product, dim) => product * dim, 1);
  const bytes = (values / type.blockValues) * type.blockBytes;
  const offset = dataOffset + Number(info.offset);
  if (offset + bytes > fileSize) {
    throw new Error(
      `tensor "${name}" should end at byte ${offset + bytes}, but the file has ${fileSize} bytes; it is truncated or damaged`,
    );
  }
  return { name, type, dims, offset, bytes };
}
