/**
 * Downloads one pinned file over HTTP into a part file, resuming where an earlier attempt stopped.
 *
 * The part file only grows by bytes that the server sent for exactly that position; whether they
 * are the right bytes is decided by the caller's hash. Knows nothing of the catalogue.
 */
import type { FileHandle } from 'node:fs/promises';
import { constants, open } from 'node:fs/promises';
import { describeError, errorCode, ModelError } from './errors';
import { writeExactly } from './files';

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told the size of the part file. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
  /** Milliseconds until the response must begin. */
  readonly firstByteMs?: number | undefined;
  /** Milliseconds that may pass between two pieces. */
  readonly stallMs?: number | undefined;
}

/** Attempts in a row that may add nothing before the download gives up; the first counts. */
const fruitlessAttempts = 2;

/**
 * Fetches `url` into `part` until it has `bytes` bytes. A connection that breaks is taken up again
 * as long as attempts bring something.
 *
 * @throws {ModelError} when the server cannot be reached or offers another file
 * @throws the signal's reason when aborted; the part file then holds what came
 */
export async function downloadFile(
  url: string,
  part: string,
  bytes: number,
  options: DownloadOptions = {},
): Promise<void> {
  const file = await open(part, constants.O_RDWR | constants.O_CREAT);
  try {
    let { size } = await file.stat();
    if (size > bytes) {
      await file.truncate(0);
      size = 0;
    }
    for (let fruitless = 0; size < bytes; ) {
      try {
        await fetchRest(url, file, size, bytes, options);
        size = (await file.stat()).size;
      } catch (error) {
        options.signal?.throwIfAborted();
        if (error instanceof RefusedError || isLocalError(error)) throw error;
        const { size: now } = await file.stat();
        // Nothing at all came yet: probably offline, which another source should learn at once.
        fruitless = now > size ? 0 : fruitless + 1;
        if (fruitless >= fruitlessAttempts || now === 0) {
          throw new ModelError(describeError(error), { cause: error });
        }
        size = now;
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

/** The server answered, and asking again would not help. */
class RefusedError extends ModelError {}

/** Errors of the disk, not of the network. */
function isLocalError(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EFBIG'].includes(errorCode(error) ?? '');
}

/** One request for the bytes from `from` on. */
async function fetchRest(
  url: string,
  file: FileHandle,
  from: number,
  bytes: number,
  options: DownloadOptions,
): Promise<void> {
  const { firstByteMs = 10_000, stallMs = 30_000 } = options;
  const watch = new Watchdog(options.signal);
  try {
    watch.expect(firstByteMs, 'no answer');
    const response = await fetch(url, {
      headers: { 'accept-encoding': 'identity', ...(from > 0 && { range: `bytes=${from}-` }) },
      signal: watch.signal,
    });
    const body = response.body;
    let position: number;
    try {
      position = await startOf(response, file, from, bytes);
    } catch (error) {
      await body?.cancel();
      throw error;
    }
    if (body === null) throw new RefusedError('The server sent an answer without content.');

    watch.expect(stallMs, 'no more data');
    for await (const piece of body) {
      if (position + piece.length > bytes) {
        throw new RefusedError(`The server sent more than the ${bytes} bytes of the file.`);
      }
      await writeExactly(file, piece, position);
      position += piece.length;
      options.onProgress?.(position);
      watch.expect(stallMs, 'no more data');
    }
    if (position < bytes) throw new Error(`The connection ended after ${position} bytes.`);
  } catch (error) {
    throw watch.explain(error);
  } finally {
    watch.stop();
  }
}

/** Checks status and lengths; returns the position of the first byte that will come. */
async function startOf(
  response: Response,
  file: FileHandle,
  from: number,
  bytes: number,
): Promise<number> {
  const length = response.headers.get('content-length');
  if (response.status === 206 && from > 0) {
    const range = response.headers.get('content-range') ?? '';
    const match = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range.trim());
    if (match === null || Number(match[1]) !== from) {
      throw new RefusedError(`The server answered with the wrong range ("${range}").`);
    }
    if (match[3] !== '*') checkLength(Number(match[3]), bytes);
    return from;
  }
  if (response.status === 200) {
    // No range was asked for, or the server ignores ranges: it starts at the beginning.
    if (length !== null) checkLength(Number(length), bytes);
    await file.truncate(0);
    return 0;
  }
  if (response.status === 416 && from > 0) {
    await file.truncate(0);
    throw new Error('The server does not have the range asked for.');
  }
  if (response.status === 429 || response.status >= 500) {
    throw new Error(`The server answered with HTTP status ${response.status}.`);
  }
  throw new RefusedError(`The server answered with HTTP status ${response.status}.`);
}

function checkLength(offered: number, bytes: number): void {
  if (offered === bytes) return;
  throw new RefusedError(`The server offers a file of ${offered} bytes instead of ${bytes}.`);
}

/** Aborts when the user does, or when something expected does not come in time. */
class Watchdog {
  private readonly controller = new AbortController();
  private readonly onAbort = () => this.controller.abort(this.outer?.reason);
  private timer: NodeJS.Timeout | undefined;
  private late: string | undefined;

  constructor(private readonly outer: AbortSignal | undefined) {
    if (outer?.aborted === true) this.onAbort();
    outer?.addEventListener('abort', this.onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  expect(ms: number, otherwise: string): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.late = `There was ${otherwise} for ${ms / 1000} s.`;
      this.controller.abort();
    }, ms);
  }

  /** The reason behind an abort error that this watchdog caused. */
  explain(error: unknown): unknown {
    return this.late !== undefined && this.outer?.aborted !== true ? new Error(this.late) : error;
  }

  stop(): void {
    clearTimeout(this.timer);
    this.outer?.removeEventListener('abort', this.onAbort);
  }
}
