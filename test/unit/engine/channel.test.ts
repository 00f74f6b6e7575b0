import assert from 'node:assert/strict';
import { Duplex, PassThrough } from 'node:stream';
import fc from 'fast-check';
import { Channel } from '../../../src/engine/channel';
import { ProtocolError } from '../../../src/engine/errors';

function open(maxBytes = 1000) {
  const pipe = new PassThrough();
  const received: unknown[] = [];
  const closed: (Error | undefined)[] = [];
  const channel = new Channel<unknown, unknown>(pipe, {
    parse: (value) => {
      if (value === 'forbidden') throw new ProtocolError('That is forbidden.');
      return value;
    },
    onMessage: (message) => received.push(message),
    onClose: (error) => closed.push(error),
    maxBytes,
  });
  return { pipe, channel, received, closed };
}

const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

describe('Channel', () => {
  it('hands messages over whole, however the pipe cuts them', async () => {
    const cases = fc.tuple(
      fc.array(fc.jsonValue(), { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([messages, sizes]) => {
        const { pipe, received, closed } = open(1_000_000);
        const expected = messages.map((message): unknown => JSON.parse(JSON.stringify(message)));
        const bytes = Buffer.from(
          expected.map((message) => `${JSON.stringify(message)}\n`).join(''),
        );
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          pipe.write(bytes.subarray(at, at + size));
          at += size;
        }
        await new Promise((resolve) => pipe.end(resolve));
        await settle();
        assert.deepEqual(received, expected);
        assert.deepEqual(closed, [undefined]);
      }),
      { numRuns: 30 },
    );
  });

  it('closes once, with the error, at the first thing that is no message', async () => {
    for (const bad of ['{', '"forbidden"', '', '\u0000\u0001', '[1,']) {
      const { pipe, received, closed, channel } = open();
      pipe.write(`1\n${bad}\n2\n`);
      await settle();
      assert.deepEqual(received, [1], bad);
      assert.equal(closed.length, 1);
      assert.ok(closed[0] instanceof ProtocolError);
      assert.ok(channel.closed);
      assert.ok(pipe.destroyed);
    }
  });

  it('does not collect a message without end', async () => {
    const { pipe, closed } = open(100);
    for (let i = 0; i < 20; i++) pipe.write('x'.repeat(10));
    await settle();
    assert.match(closed[0]?.message ?? '', /larger/);
  });

  it('never quotes what it could not read', async () => {
    const { pipe, closed } = open();
    pipe.write('my secret\n');
    await settle();
    assert.doesNotMatch(`${closed[0]?.stack} ${String(closed[0]?.cause)}`, /secret/);
  });

  it('reports a pipe that fails, and sends nothing afterwards', async () => {
    const writes: string[] = [];
    const pipe = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        writes.push(chunk.toString());
        done(new Error('EPIPE'));
      },
    });
    const closed: (Error | undefined)[] = [];
    const channel = new Channel<unknown, unknown>(pipe, {
      parse: (value) => value,
      onMessage: () => undefined,
      onClose: (error) => closed.push(error),
      maxBytes: 10,
    });
    channel.send(1);
    await settle();
    channel.send(2);
    channel.close();
    await settle();
    assert.deepEqual(writes, ['1\n']);
    assert.deepEqual(
      closed.map((error) => error?.message),
      ['EPIPE'],
    );
  });
});
