/**
 * Connects a server to the pipe that the parent made: file descriptor 3. The child lives only as
 * long as the pipe, so that it never outlives its parent, however the parent ended.
 */
import { Socket } from 'node:net';
import { Channel } from './channel';
import { LIMITS, parseToChild, type ToChild, type ToParent } from './protocol';
import { Server, type ServerOptions } from './server';

const PIPE = 3;

/** Serves until the parent is gone or asks for the end; then the process exits. */
export function serve(models: Pick<ServerOptions, 'openModel' | 'prepareModel'>): void {
  // Ctrl+C in a terminal reaches the child too; the parent decides what it means.
  process.on('SIGINT', () => undefined);
  const channel = new Channel<ToChild, ToParent>(new Socket({ fd: PIPE }), {
    parse: parseToChild,
    maxBytes: LIMITS.message,
    onMessage: (message) => server.handle(message),
    onClose: (error) => process.exit(error ? 1 : 0),
  });
  const server = new Server({
    send: (message) => channel.send(message),
    ...models,
    onShutdown: () => process.exit(0),
  });
}
