/**
 * A two-way stream of JSON messages, one a line, over a pipe.
 *
 * Node's own channel of forked processes would do the same, but it throws into the event loop when
 * the other side writes anything that is not a message; here that is an ordinary error of this
 * channel. Knows no message's meaning.
 */
import type { Duplex } from 'node:stream';
import { ProtocolError } from './errors';

export interface ChannelOptions<In> {
  /** Checks a received value; throws a ProtocolError. */
  readonly parse: (value: unknown) => In;
  readonly onMessage: (message: In) => void;
  /** Called once, with the error when the other side broke the protocol or the pipe failed. */
  readonly onClose: (error?: Error) => void;
  /** The most bytes of one received message. */
  readonly maxBytes: number;
}

const NEWLINE = 10;

export class Channel<In, Out> {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #closed = false;
  readonly #pipe: Duplex;
  readonly #options: ChannelOptions<In>;

  constructor(pipe: Duplex, options: ChannelOptions<In>) {
    this.#pipe = pipe;
    this.#options = options;
    pipe.on('data', (chunk: Buffer) => this.#receive(chunk));
    // An error is always followed by 'close', but only the error says why.
    pipe.on('error', (error) => this.close(error));
    pipe.on('end', () => this.close());
    pipe.on('close', () => this.close());
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Queues a message. After the channel has closed this does nothing: `onClose` has told. */
  send(message: Out): void {
    if (!this.#closed) this.#pipe.write(`${JSON.stringify(message)}\n`);
  }

  /** Closes the pipe at once. */
  close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pieces = [];
    this.#pipe.destroy();
    this.#options.onClose(error);
  }

  #receive(chunk: Buffer): void {
    let from = 0;
    while (!this.#closed) {
      const newline = chunk.indexOf(NEWLINE, from);
      const piece = chunk.subarray(from, newline < 0 ? chunk.length : newline);
      this.#bytes += piece.length;
      if (this.#bytes > this.#options.maxBytes) {
        this.close(new ProtocolError('A message is larger than the protocol allows.'));
        return;
      }
      this.#pieces.push(piece);
      if (newline < 0) return;
      const line = Buffer.concat(this.#pieces).toString('utf8');
      this.#pieces = [];
      this.#bytes = 0;
      from = newline + 1;
      this.#deliver(line);
    }
  }

  #deliver(line: string): void {
    let message: In;
    try {
      message = this.#options.parse(parseJson(line));
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    this.#options.onMessage(message);
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new ProtocolError('A message is not JSON.'); // The cause would quote the message.
  }
}
