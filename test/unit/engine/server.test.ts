import assert from 'node:assert/strict';
import type {
  CompletionRequest,
  CompletionResult,
  GenerationResult,
  ModelFiles,
  ToChild,
  ToParent,
} from '../../../src/engine/protocol';
import { DeadlineReached, Server, type OpenModel } from '../../../src/engine/server';
import { inspection } from '../../fixtures/inspection';

const MODEL: ModelFiles = {
  id: 'm',
  precision: 'int8',
  graph: 'g',
  weights: 'w',
  tokenizer: 't',
  contextLength: 10,
  prompt: { stop: [] },
};
const decoding = { maxTokens: 1, mode: 'ar', epsilon: 1 } as const;

const complete = (id: number, changes: Partial<CompletionRequest> = {}): ToChild => ({
  type: 'complete',
  id,
  request: {
    prefix: '',
    suffix: '',
    language: '',
    multiline: false,
    raw: true,
    ...decoding,
    ...changes,
  },
});
const generate = (id: number): ToChild => ({
  type: 'generate',
  id,
  request: { prompt: '', chat: false, ...decoding },
});
const load: ToChild = { type: 'load', id: 1, model: MODEL, options: {} };

/** Ends with a result at a deadline and with the reason at any other abort, as the real one does. */
function untilAborted<T>(signal: AbortSignal, late: T): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => {
      if (signal.reason instanceof DeadlineReached) resolve(late);
      else reject(signal.reason as Error);
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end);
  });
}

function setUp() {
  const sent: ToParent[] = [];
  const events: string[] = [];
  const server = new Server({
    send: (message) => sent.push(message),
    openModel: (model): Promise<OpenModel> => {
      events.push('open');
      const late = { text: 'late' } as unknown;
      return Promise.resolve({
        info: { id: model.id, precision: model.precision, contextLength: 10, loadMs: 1 },
        complete: (_, signal) => untilAborted(signal, late as CompletionResult),
        generate: (_request, _onStep, signal) => untilAborted(signal, late as GenerationResult),
        measure: async () => {
          await settle(1);
          return { kind: 'measure', context: 1, prefillMs: 1, stepMs: [1] };
        },
        inspect: () => Promise.resolve(inspection(model.id)),
        probe: () => Promise.resolve({ kind: 'probe', rows: [], prefillMs: 1, stepMs: 1 }),
        close: () => {
          events.push('close');
          return Promise.resolve();
        },
      });
    },
    prepareModel: (model) => {
      events.push(`prepare ${model.id}`);
      return Promise.resolve({ kind: 'prepared', prepared: true });
    },
    onShutdown: () => events.push('shutdown'),
  });
  /** The answers of a request: their types, and codes of errors. */
  const answers = (id: number) =>
    sent.flatMap((message) => {
      if (!('id' in message) || message.id !== id) return [];
      return message.type === 'error' ? [message.code] : [message.type];
    });
  return { server, sent, events, answers };
}

const settle = (ms = 5) => new Promise<void>((resolve) => setTimeout(resolve, ms));

describe('Server', () => {
  it('answers hello and ping at once, even while it works', async () => {
    const { server, answers, sent } = setUp();
    server.handle(load);
    server.handle(generate(2));
    await settle();
    server.handle({ type: 'hello', version: 1 });
    server.handle({ type: 'ping', id: 3 });
    assert.deepEqual(answers(3), ['pong']);
    assert.ok(sent.some((message) => message.type === 'ready'));
  });

  it('runs one request at a time, in order', async () => {
    const { server, answers } = setUp();
    server.handle(load);
    server.handle(generate(2));
    server.handle({ type: 'measure', id: 3, request: { rows: 1, context: 1, repeats: 1 } });
    await settle();
    assert.deepEqual(answers(1), ['loaded']);
    assert.deepEqual(answers(3), [], 'it waits');
    server.handle({ type: 'cancel', id: 2 });
    await settle();
    assert.deepEqual(answers(2), ['cancelled']);
    assert.deepEqual(answers(3), ['result']);
  });

  it('runs a request once, whenever it arrives', async () => {
    const { server, sent, answers } = setUp();
    const measure = (id: number): ToChild => ({
      type: 'measure',
      id,
      request: { rows: 1, context: 1, repeats: 1 },
    });
    server.handle(load);
    await settle();
    // The receiver of an answer asks again a moment later: when the queue has just run empty.
    const moments = [
      (next: () => void) => next(),
      queueMicrotask,
      (next: () => void) => process.nextTick(next),
      setImmediate,
    ];
    const send = sent.push.bind(sent);
    sent.push = (message) => {
      if (message.type === 'result' && message.id < 41) {
        moments[message.id % moments.length]?.(() => server.handle(measure(message.id + 1)));
      }
      return send(message);
    };
    server.handle(measure(2));
    while (answers(41).length === 0) await settle();
    await settle(20);
    for (let id = 2; id <= 41; id++) assert.deepEqual(answers(id), ['result'], `request ${id}`);
  });

  it('lets a background completion wait for others, and give its place to them', async () => {
    const { server, answers } = setUp();
    server.handle(load);
    server.handle(complete(2));
    server.handle(complete(3, { background: true }));
    await settle();
    assert.deepEqual([answers(2), answers(3)], [[], []], 'one works, the other waits');
    server.handle(complete(4));
    await settle();
    assert.deepEqual([answers(2), answers(3)], [['cancelled'], ['cancelled']]);
  });

  it('lets a newer completion take the place of older ones, but of nothing else', async () => {
    const { server, answers } = setUp();
    server.handle(load);
    server.handle(generate(2));
    for (const id of [3, 4, 5]) server.handle(complete(id));
    await settle();
    assert.deepEqual(answers(2), []);
    server.handle({ type: 'cancel', id: 2 });
    await settle();
    assert.deepEqual([3, 4, 5].map(answers), [['cancelled'], ['cancelled'], []]);
    server.handle({ type: 'cancel', id: 5 });
  });

  it('counts a deadline from arrival, also while the request waits', async () => {
    const { server, answers } = setUp();
    server.handle(load);
    server.handle(generate(2));
    server.handle(complete(3, { deadlineMs: 10 }));
    await settle(30);
    assert.deepEqual(answers(3), [], 'it waits for its turn to say so');
    server.handle({ type: 'cancel', id: 2 });
    await settle();
    assert.deepEqual(answers(3), ['result']);
  });

  it('ignores the cancellation of what is unknown or over', () => {
    const { server, sent } = setUp();
    server.handle({ type: 'cancel', id: 77 });
    assert.deepEqual(sent, []);
  });

  it('says that no model is loaded', async () => {
    const { server, answers } = setUp();
    server.handle(complete(2));
    await settle();
    assert.deepEqual(answers(2), ['notLoaded']);
  });

  it('closes a model before it opens the next', async () => {
    const { server, events } = setUp();
    server.handle(load);
    server.handle({ ...load, id: 2 });
    await settle();
    assert.deepEqual(events, ['open', 'close', 'open']);
  });

  it('tells when it loads, works and rests', async () => {
    const { server, sent } = setUp();
    server.handle(load);
    await settle();
    server.handle({ type: 'measure', id: 2, request: { rows: 1, context: 1, repeats: 1 } });
    const statesOf = () => sent.flatMap((each) => (each.type === 'state' ? [each.state] : []));
    for (let turn = 0; statesOf().length < 4 && turn < 200; turn++) await settle();
    const states = statesOf();
    assert.deepEqual(states, ['loading', 'idle', 'busy', 'idle']);
  });

  it('ends all requests and closes the model when it is shut down, once', async () => {
    const { server, answers, events } = setUp();
    server.handle(load);
    server.handle(generate(2));
    server.handle(generate(3));
    await settle();
    server.handle({ type: 'shutdown' });
    server.handle({ type: 'shutdown' });
    server.handle(complete(4));
    await settle();
    assert.deepEqual([2, 3, 4].map(answers), [['stopped'], ['stopped'], ['stopped']]);
    assert.deepEqual(events, ['open', 'close', 'shutdown']);
  });
});
