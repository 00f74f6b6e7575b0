/**
 * Reading safetensors files: 8 bytes of header length, a JSON header, then the tensors' bytes.
 *
 * Such a file may come from elsewhere, so every length, dimension and offset is checked against the
 * file's size before anything is allocated or read. Knows nothing of plans or models.
 */
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { z } from 'zod';
import { describeError, ModelError } from './errors';
import { readExactly } from './files';

const itemBytes = { I8: 1, I32: 4, F32: 4 } as const;

export interface StoredTensor {
  readonly name: string;
  readonly type: keyof typeof itemBytes;
  /** Row-major: the last dimension varies fastest. */
  readonly shape: readonly number[];
  /** Absolute, in bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** Limits no file of token heads comes near. */
const limits = { headerBytes: 2 ** 22, tensors: 10_000 };
const metadataKey = '__metadata__';

const size = z.int().nonnegative();
const tensorSchema = z.strictObject({
  dtype: z.enum(['I8', 'I32', 'F32']),
  shape: z
    .array(
      z
        .int()
        .positive()
        .max(2 ** 31 - 1),
    )
    .min(1)
    .max(4),
  data_offsets: z.tuple([size, size]),
});
const metadataSchema = z.record(z.string(), z.string());

/**
 * Opens a safetensors file and checks its whole header.
 *
 * @throws {ModelError} when the file is not a sound one, or has a number type not supported
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await open(path, 'r');
  try {
    const { size: fileBytes } = await file.stat();
    const header = await readHeader(file, fileBytes);
    const { metadata, tensors } = parseHeader(header, fileBytes);
    return new SafetensorsFile(path, metadata, tensors, file);
  } catch (error) {
    await file.close();
    const reason = describeError(error).replace(/\.$/, '');
    throw new ModelError(`${path} is not a usable safetensors file: ${reason}.`, { cause: error });
  }
}

/** An open safetensors file. Made by `openSafetensors`; must be closed. */
export class SafetensorsFile {
  constructor(
    readonly path: string,
    readonly metadata: Readonly<Record<string, string>>,
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    private readonly file: FileHandle,
  ) {}

  /**
   * Reads values of a tensor into `target`, from value `from` on.
   *
   * @throws {RangeError} when the tensor is of another type or ends before that
   */
  async read(
    tensor: StoredTensor,
    from: number,
    target: Int8Array | Int32Array | Float32Array,
  ): Promise<void> {
    const type = target instanceof Int8Array ? 'I8' : target instanceof Int32Array ? 'I32' : 'F32';
    const start = from * itemBytes[tensor.type];
    if (type !== tensor.type || start < 0 || start + target.byteLength > tensor.bytes) {
      throw new RangeError(
        `${tensor.name} does not have ${target.length} ${type} values from ${from} on.`,
      );
    }
    const bytes = new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
    await readExactly(this.file, bytes, tensor.offset + start, this.path);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** The header's bytes, and nothing before its length is known to be sound. */
async function readHeader(file: FileHandle, fileBytes: number): Promise<Buffer> {
  if (fileBytes < 8) throw new Error(`it has only ${fileBytes} bytes`);
  const preamble = Buffer.alloc(8);
  await readExactly(file, preamble, 0, 'the file');
  const length = preamble.readBigUInt64LE(0);
  if (length > limits.headerBytes || Number(length) > fileBytes - 8) {
    throw new Error(`it claims a header of ${length} bytes`);
  }
  const header = Buffer.alloc(Number(length));
  await readExactly(file, header, 8, 'the file');
  return header;
}

function parseHeader(
  header: Buffer,
  fileBytes: number,
): { metadata: Record<string, string>; tensors: Map<string, StoredTensor> } {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(header));
  } catch {
    throw new Error('its header is not JSON');
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new Error('its header is not a JSON object');
  }
  const entries = Object.entries(content);
  if (entries.length > limits.tensors) throw new Error(`it claims ${entries.length} tensors`);

  const dataOffset = 8 + header.length;
  let metadata: Record<string, string> = {};
  const tensors: StoredTensor[] = [];
  for (const [name, entry] of entries) {
    if (name === metadataKey) {
      const parsed = metadataSchema.safeParse(entry);
      if (!parsed.success) throw new Error('its metadata are not all text');
      metadata = parsed.data;
      continue;
    }
    const parsed = tensorSchema.safeParse(entry);
    if (!parsed.success) {
      throw new Error(`tensor "${name}" is malformed (${z.prettifyError(parsed.error)})`);
    }
    const { dtype, shape, data_offsets: offsets } = parsed.data;
    // A product beyond 2^53 cannot equal the length that it is compared with.
    const bytes = shape.reduce((product, dim) => product * dim, itemBytes[dtype]);
    if (offsets[1] - offsets[0] !== bytes) {
      throw new Error(`tensor "${name}" of shape [${shape.join(', ')}] does not take ${bytes} bytes`);
    }
    tensors.push({ name, type: dtype, shape, offset: dataOffset + offsets[0], bytes });
  }
  checkLayout(tensors, dataOffset, fileBytes);
  return { metadata, tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])) };
}

/**
 * The tensors must fill the rest of the file without a gap, as the format says. So none overlaps
 * another, none ends behind the file, and none was lost to a name that stands twice.
 */
function checkLayout(tensors: readonly StoredTensor[], start: number, fileBytes: number): void {
  const ordered = [...tensors].sort((a, b) => a.offset - b.offset);
  let end = start;
  for (const { name, offset, bytes } of ordered) {
    if (offset !== end) throw new Error(`tensor "${name}" does not follow the one before it`);
    end += bytes;
  }
  if (end !== fileBytes) {
    throw new Error(`its tensors end at byte ${end}, but it has ${fileBytes} bytes`);
  }
}
