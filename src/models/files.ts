/**
 * Small file helpers of the models room: exact reads and writes, hashes, free space, atomic writes.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, ModelError } from './errors';

/**
 * Fills `target` from byte `position` of a file.
 *
 * @throws {ModelError} when the file ends before that
 */
export async function readExactly(
  file: FileHandle,
  target: Uint8Array,
  position: number,
  name: string,
): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const { bytesRead } = await file.read(target, done, target.length - done, position + done);
    if (bytesRead === 0) throw new ModelError(`${name} ends early, at byte ${position + done}`);
    done += bytesRead;
  }
}

/** Writes all of `bytes` at `position`, in pieces that let other work in between. */
export async function writeExactly(
  file: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  const piece = 2 ** 24;
  let done = 0;
  while (done < bytes.length) {
    const length = Math.min(piece, bytes.length - done);
    const { bytesWritten } = await file.write(bytes, done, length, position + done);
    done += bytesWritten;
  }
}

/** Reads a file front to back in pieces. The buffer is used again for the next piece. */
export async function readThrough(
  path: string,
  onPiece: (piece: Uint8Array) => void,
  signal?: AbortSignal,
): Promise<void> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.allocUnsafeSlow(2 ** 22);
    for (let position = 0; ; ) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return;
      onPiece(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
  } finally {
    await file.close();
  }
}

/** Size and SHA-256 (lower-case hex) of a file. */
export async function hashFile(
  path: string,
  options: { signal?: AbortSignal | undefined; onProgress?: (bytes: number) => void } = {},
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  await readThrough(
    path,
    (piece) => {
      hash.update(piece);
      bytes += piece.length;
      options.onProgress?.(bytes);
    },
    options.signal,
  );
  return { bytes, sha256: hash.digest('hex') };
}

/** Size of a regular file, or undefined when there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Replaces a file in one step: readers see the old content or the new, never a part. */
export async function writeAtomically(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomName()}.partial`;
  try {
    await writeDurably(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Writes a new file and waits until it is on the disk. */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Eight random hex digits, to keep names of temporary files apart. */
export function randomName(): string {
  return randomBytes(4).toString('hex');
}

/** Bytes that this user may still write on the disk that holds `path`. */
export async function freeBytes(path: string): Promise<number> {
  for (let at = path; ; at = dirname(at)) {
    try {
      const { bavail, bsize } = await statfs(at);
      return bavail * bsize;
    } catch (error) {
      // The folder may not exist yet: its parent is on the same disk.
      if (errorCode(error) !== 'ENOENT' || dirname(at) === at) throw error;
    }
  }
}

/** Bytes as people read them: "491 MB". */
export function formatBytes(bytes: number): string {
  return bytes < 1e9 ? `${Math.ceil(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
