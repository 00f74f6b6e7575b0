import assert from 'node:assert/strict';
import fc from 'fast-check';
import { EngineError, ProtocolError } from '../../../src/engine/errors';
import {
  checkRequest,
  LIMITS,
  parseToChild,
  parseToParent,
  type CompletionRequest,
  type RequestBody,
  type ToChild,
  type ToParent,
} from '../../../src/engine/protocol';
import { chainedInspection, inspection } from '../../fixtures/inspection';

const request: CompletionRequest = {
  prefix: 'def f(',
  suffix: '):\n',
  language: 'python',
  multiline: 'auto',
  raw: false,
  maxTokens: 64,
  mode: 'exact',
  epsilon: 0.5,
};
const outcome = {
  text: 'x',
  tokens: 1,
  steps: [{ n: 1, text: 'x', source: 'base', confidence: 0.5, rows: 1, ms: 3 }],
  prefillMs: 1,
  decodeMs: 2,
  stopReason: 'newline',
  model: 'm',
  mode: 'ar',
  promptTokens: 5,
  reusedTokens: 2,
  promptTail: 'def f(',
} as const;

const toChild: ToChild[] = [
  { type: 'probe', id: 1 },
  { type: 'hello', version: 1 },
  {
    type: 'load',
    id: 1,
    model: {
      id: 'm',
      precision: 'int8',
      graph: '/g',
      weights: '/w',
      tokenizer: '/t',
      contextLength: 100,
      prompt: { stop: ['<|end|>'] },
    },
    options: { threads: 2 },
  },
  { type: 'complete', id: 2, request },
  { type: 'complete', id: 3, request: { ...request, order: 'prefix-first', deadlineMs: 100 } },
  {
    type: 'complete',
    id: 8,
    request: {
      ...request,
      mode: 'fast',
      fast: {
        ...{ maxOrder: 3, topK: 50, alpha: 0.5, unseen: 'parts', useStatic: true, useOtsu: false },
        ...{ useBlur: false, penalty: 1.1, penaltyWindow: 64, repeats: 'ngram', chains: 2 },
      },
      drafts: { heads: false, lookup: true },
      trace: { candidates: 10 },
    },
  },
  {
    type: 'generate',
    id: 4,
    request: { prompt: 'p', chat: true, maxTokens: 1, mode: 'ar', epsilon: 1, seed: -5 },
  },
  { type: 'measure', id: 5, request: { rows: 8, context: 64, repeats: 3 } },
  {
    type: 'inspect',
    id: 6,
    request: { place: { kind: 'prompt', prompt: 'p' }, after: [1, 2], chains: 3 },
  },
  {
    type: 'inspect',
    id: 7,
    request: {
      place: { kind: 'cursor', prefix: 'p', suffix: 's', language: 'python', maxTokens: 9 },
      chains: 1,
    },
  },
  { type: 'cancel', id: 2 },
  { type: 'ping', id: 6 },
  { type: 'shutdown' },
];

const toParent: ToParent[] = [
  { type: 'ready', version: 1 },
  {
    type: 'loaded',
    id: 1,
    info: { id: 'm', precision: 'int8', contextLength: 100, loadMs: 5 },
  },
  { type: 'step', id: 4, step: outcome.steps[0] },
  {
    type: 'step',
    id: 5,
    step: {
      ...outcome.steps[0],
      draft: { source: 'head', tokens: 2, accepted: 1 },
      trace: {
        places: [
          {
            base: { ids: [1], logits: [-0.5], logNormalizer: 0, texts: ['a'] },
            head: { ids: [1, 2], logits: [3, 2], logNormalizer: 4 },
            draft: { id: 1, text: 'a', source: 'head', fate: 'accepted' },
          },
          {},
        ],
        heads: 'chained',
        decision: {
          order: 2,
          joint: 0.4,
          epsilon: 0.3,
          tried: [
            {
              ...{ order: 2, staticThreshold: 0.3, adaptiveThreshold: 0.2, survivors: 3 },
              ...{ largest: 0.4, unmasked: false, outcome: 'chosen' },
            },
          ],
          cells: [{ ids: [1, 2], texts: ['a', 'b'], value: 0.4, survives: true }],
        },
        draftMs: 3,
        decideMs: 0.1,
      },
    },
  },
  {
    type: 'result',
    id: 2,
    result: { kind: 'completion', ...outcome, steps: [...outcome.steps], replaceRight: 1 },
  },
  { type: 'result', id: 4, result: { kind: 'generation', ...outcome, steps: [] } },
  { type: 'result', id: 5, result: { kind: 'measure', context: 1, prefillMs: 1, stepMs: [1, 2] } },
  { type: 'result', id: 6, result: inspection('m') },
  { type: 'result', id: 7, result: chainedInspection('m') },
  { type: 'error', id: 2, code: 'cancelled', message: 'The request was cancelled.' },
  { type: 'pong', id: 6 },
  { type: 'state', state: 'busy' },
];

/** Whatever comes, it is a message or a ProtocolError. */
function assertHandled(parse: (value: unknown) => unknown, value: unknown): void {
  try {
    parse(value);
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error));
  }
}

describe('the protocol', () => {
  it('passes every kind of message through JSON unchanged', () => {
    for (const message of toChild) {
      assert.deepEqual(parseToChild(JSON.parse(JSON.stringify(message))), message);
    }
    for (const message of toParent) {
      assert.deepEqual(parseToParent(JSON.parse(JSON.stringify(message))), message);
    }
  });

  it('passes any text, lone surrogates and control characters included', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (prefix) => {
        const message = { type: 'complete', id: 1, request: { ...request, prefix } };
        assert.deepEqual(parseToChild(JSON.parse(JSON.stringify(message))), message);
      }),
    );
  });

  it('meets any value with a message or a ProtocolError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.jsonValue()), (value) => {
        assertHandled(parseToChild, value);
        assertHandled(parseToParent, value);
      }),
      { numRuns: 1000 },
    );
  });

  it('meets a message with any one field replaced or missing likewise', () => {
    const sides = [
      { messages: toChild, parse: parseToChild },
      { messages: toParent, parse: parseToParent },
    ];
    for (const { messages, parse } of sides) {
      for (const message of messages) {
        for (const path of pathsOf(message)) {
          for (const value of [undefined, null, NaN, Infinity, -1, 0.5, 1e300, '', [], {}, true]) {
            assertHandled(parse, replaced(message, path, value));
          }
        }
      }
    }
  });

  it('rejects numbers that are no numbers and sizes beyond the limits', () => {
    const wrong: Partial<Record<keyof CompletionRequest, unknown>>[] = [
      { maxTokens: 0 },
      { maxTokens: LIMITS.tokens + 1 },
      { maxTokens: 1.5 },
      { epsilon: -0.1 },
      { epsilon: 1.1 },
      { epsilon: NaN },
      { temperature: Infinity },
      { deadlineMs: 0 },
      { prefix: 'x'.repeat(LIMITS.text + 1) },
      { mode: 'quick' },
      { fast: { penalty: 0.5 } },
      { fast: { blur: true } },
      { fast: { topK: 0 } },
      { fast: { chains: 100 } },
      { drafts: { lookup: 'yes' } },
      { trace: true },
      { trace: { candidates: LIMITS.candidates + 1 } },
      { surprise: 1 } as Partial<Record<keyof CompletionRequest, unknown>>,
    ];
    for (const change of wrong) {
      const body = { type: 'complete', request: { ...request, ...change } } as RequestBody;
      const isBadRequest = (error: unknown) =>
        error instanceof EngineError && error.code === 'badRequest';
      assert.throws(() => checkRequest(body), isBadRequest, JSON.stringify(change).slice(0, 80));
      assert.throws(() => parseToChild({ ...body, id: 1 }), ProtocolError);
    }
    assert.doesNotThrow(() => checkRequest({ type: 'complete', request }));
  });

  it('names the wrong field but never what it holds', () => {
    const body = { type: 'complete', request: { ...request, mode: 'my secret' } } as unknown;
    assert.throws(
      () => checkRequest(body as RequestBody),
      (error: Error) => /request\.mode/.test(error.message) && !/secret/.test(error.message),
    );
  });
});

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}

function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by;
  const copy = (
    Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }
  ) as Record<string | number, unknown>;
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}
