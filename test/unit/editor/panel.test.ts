/** The threshold view's side in the editor, with a page that notes what it is told. */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import type { ToHost, ToPage, ViewSettings } from '../../../media/thresholds/messages';
import type { InspectRequest, StepSummary } from '../../../src/engine/protocol';
import { inspection } from '../../fixtures/inspection';
import { buildParts, type BuiltParts } from './build';

const SETTINGS: ViewSettings = {
  ...{ mode: 'fast', epsilon: 0.5, useOtsu: true, useBlur: true, alpha: 0, topK: 50 },
  ...{ temperature: 0.7, chains: 1, penalty: 1.1, lookup: true },
};

const step = (text: string, ...ids: number[]): StepSummary =>
  ({ n: ids.length, text, ids, source: 'base', confidence: 1, rows: 1, ms: 1 }) as StepSummary;

const resultOf = (...steps: StepSummary[]) => ({
  kind: 'completion',
  ...{ text: 'x', tokens: 2, steps, prefillMs: 1, decodeMs: 1, stopReason: 'newline' },
  ...{ model: 'm', mode: 'exact', promptTokens: 1, reusedTokens: 0, promptTail: '' },
  replaceRight: 0,
});

describe('the threshold view in the editor', () => {
  let built: BuiltParts;
  let shown: { dispose(): void } | undefined;

  before(async () => {
    built = await buildParts();
  });

  after(() => built.remove());
  afterEach(() => shown?.dispose());

  function begin() {
    const { ThresholdPanel, vscode } = built.parts;
    vscode.open('for a in range(10):\n    print(a)\n');
    const received = new vscode.EventEmitter<unknown>();
    const completed = new vscode.EventEmitter<unknown>();
    const ended = new vscode.EventEmitter<void>();
    const told: ToPage[] = [];
    const inspected: InspectRequest[] = [];
    /** What the engine answers to a completion; the test's to set. */
    const engine = {
      complete: (): Promise<unknown> => Promise.resolve(resultOf()),
      inspect: (request: InspectRequest) => {
        inspected.push(request);
        return Promise.resolve(inspection('m'));
      },
    };
    const webview = {
      ...{ options: {}, html: '', cspSource: '', asWebviewUri: (uri: unknown) => uri },
      onDidReceiveMessage: received.event,
      postMessage: (message: ToPage) => {
        told.push(message);
        return Promise.resolve(true);
      },
    };
    let open = true;
    const dispose = () => {
      if (!open) return;
      open = false;
      ended.fire();
    };
    const panel = { webview, onDidDispose: ended.event, dispose };
    const session = {
      ...{ engine: () => Promise.resolve(engine), tracing: false, suite: resolve('models') },
      ...{ state: { kind: 'ready', busy: false }, model: undefined, lastCompletion: undefined },
      ...{ onDidComplete: completed.event, onDidChangeState: () => ({ dispose: () => undefined }) },
      log: { warn: () => undefined, error: () => undefined },
    };
    const counters = {
      counters: { completions: 0, tokens: 0, steps: 0, decodeMs: 0, heads: [], lookup: {} },
    };
    const otherFiles = { for: () => [] };
    new ThresholdPanel(
      panel as never,
      new vscode.Uri('file', '/') as never,
      { session, otherFiles, counters } as never,
    );
    shown = panel;
    /** What the page says, and what it is told because of it, of one type. */
    const say = async <T extends ToPage['type']>(message: ToHost, type: T) => {
      told.length = 0;
      received.fire(message);
      await new Promise((done) => setTimeout(done, 30));
      return told.filter((each): each is Extract<ToPage, { type: T }> => each.type === type);
    };
    const complete = (...steps: StepSummary[]) => {
      const place = { prefix: 'a', suffix: 'b', language: 'python', maxTokens: 64 };
      const document = vscode.document.uri;
      const position = new vscode.Position(0, 1);
      completed.fire({ request: place, result: resultOf(...steps), document, position });
    };
    return { engine, inspected, say, complete };
  }

  const lookAt = (origin: 'editor' | 'tried', step: number): ToHost => ({
    type: 'inspect',
    place: { kind: 'step', origin, step },
  });

  it('shows the steps of the completion in which one was chosen', async () => {
    const { engine, inspected, say, complete } = begin();
    complete(step('a', 1), step('b', 2), step('c', 3));
    engine.complete = () => Promise.resolve(resultOf(step('a', 7, 8), step('b', 9)));
    await say({ type: 'try', settings: SETTINGS }, 'completion');
    const [tried] = await say(lookAt('tried', 1), 'inspection');
    assert.match(tried?.where ?? '', /^Step 2 of a\.py:1:2, with these settings/);
    const [own] = await say(lookAt('editor', 2), 'inspection');
    assert.match(own?.where ?? '', /^Step 3 of a\.py:1:2$/);
    assert.deepEqual(
      inspected.map(({ after }) => after),
      [
        [7, 8],
        [1, 2],
      ],
    );
  });

  it('shows no step that there is not', async () => {
    const { engine, say, complete } = begin();
    complete(step('a', 1), step('b', 2));
    for (const [origin, at] of [
      ['editor', 2],
      ['tried', 0],
    ] as const) {
      const [refused] = await say(lookAt(origin, at), 'notSeen');
      assert.match(refused?.message ?? '', /no longer/);
    }
    engine.complete = () => Promise.resolve(resultOf(step('a', 7)));
    await say({ type: 'try', settings: SETTINGS }, 'completion');
    complete(step('c', 3));
    assert.equal((await say(lookAt('tried', 0), 'notSeen')).length, 1, 'it was of another one');
  });

  it('tells a page that was hidden what a sweep has come to meanwhile', async () => {
    const { engine, say } = begin();
    engine.complete = () => Promise.resolve(resultOf(step('a', 1)));
    const swept = await say({ type: 'sweep', settings: SETTINGS }, 'sweep');
    assert.equal(swept.at(-1)?.sweep.status, 'done');
    const [again] = await say({ type: 'ready' }, 'sweep');
    assert.deepEqual(again, swept.at(-1));
  });

  it('keeps what a sweep has measured when it fails', async () => {
    const { engine, say } = begin();
    let left = 13;
    engine.complete = () =>
      left-- > 0
        ? Promise.resolve(resultOf(step('a', 1)))
        : Promise.reject(new Error('The engine is gone.'));
    const swept = await say({ type: 'sweep', settings: SETTINGS }, 'sweep');
    const last = swept.at(-1)?.sweep;
    assert.equal(last?.status, 'failed');
    assert.equal(last?.message, 'The engine is gone.');
    assert.equal(last?.points.length, 11);
    const [again] = await say({ type: 'ready' }, 'sweep');
    assert.deepEqual(again?.sweep, last);
  });
});
