/** One question at a time, on a session that writes what the test says when the test says it. */
import assert from 'node:assert/strict';
import type { CancellationToken } from 'vscode';
import type { CursorContext } from '../../../src/completion/types';
import { Asker, type Outcome } from '../../../src/editor/asker';
import type { Session } from '../../../src/editor/session';
import type {
  CompletionRequest,
  CompletionResult,
  StepSummary,
} from '../../../src/engine/protocol';
import { at } from '../completion/notation';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A request that the test answers. */
class Asked {
  readonly #steps: StepSummary[] = [];
  readonly result: Promise<CompletionResult>;
  #resolve: (result: CompletionResult) => void = () => undefined;

  constructor(
    readonly request: CompletionRequest,
    readonly signal: AbortSignal,
    private readonly onStep: (step: StepSummary) => void,
  ) {
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      signal.addEventListener('abort', () => reject(new Error('cancelled')));
    });
  }

  async writes(text: string): Promise<void> {
    const step = { n: 1, text, source: 'base', confidence: 1, rows: 1, ms: 1 } as const;
    this.#steps.push(step);
    this.onStep(step);
    await turn();
  }

  async ends(stopReason = 'newline'): Promise<void> {
    this.#resolve({
      kind: 'completion',
      text: this.#steps.map(({ text }) => text).join(''),
      replaceRight: 0,
      tokens: this.#steps.length,
      steps: this.#steps,
      ...{ prefillMs: 1, decodeMs: 1, stopReason, model: 'scripted', mode: 'exact' },
      ...{ promptTokens: 1, reusedTokens: 0, promptTail: '' },
    });
    await turn();
  }
}

function setUp() {
  const asked: Asked[] = [];
  const session = {
    complete: (
      request: CompletionRequest,
      signal: AbortSignal,
      onStep: (step: StepSummary) => void,
    ) => {
      const each = new Asked(request, signal, onStep);
      asked.push(each);
      return each.result;
    },
  };
  const asker = new Asker(session as unknown as Session);
  const ask = (context: CursorContext, deadlineMs = 10_000) =>
    asker.ask(
      {
        ...context,
        ...{
          multiline: 'auto',
          raw: false,
          mode: 'exact',
          epsilon: 0.5,
          maxTokens: 64,
          deadlineMs,
        },
      },
      context,
    );
  return { asker, ask, asked };
}

/** A token, and what cancels it. */
function cancellable() {
  const listeners = new Set<() => void>();
  const token = {
    isCancellationRequested: false,
    onCancellationRequested: (listener: () => void) => {
      listeners.add(listener);
      return { dispose: () => listeners.delete(listener) };
    },
  };
  const cancel = () => {
    token.isCancellationRequested = true;
    for (const listener of listeners) listener();
  };
  return { token: token as unknown as CancellationToken, cancel };
}

const { token: never } = cancellable();
const textOf = (outcome: Outcome) => (typeof outcome === 'string' ? `(${outcome})` : outcome.text);

describe('a question to the engine', () => {
  it('is answered when the text is whole', async () => {
    const { ask, asked } = setUp();
    const here = at('let a = |');
    const outcome = ask(here).until(here, never, true);
    await asked[0]?.writes('b');
    await asked[0]?.writes('c;');
    await asked[0]?.ends();
    assert.equal(textOf(await outcome), 'bc;');
  });

  it('hands out the first of several lines before the rest, to who takes it early', async () => {
    const { ask, asked } = setUp();
    const here = at('def f():\n    |', 'python');
    const question = ask(here);
    const early = question.until(here, never, true);
    const whole = question.until(here, never, false);
    await asked[0]?.writes('a = 1');
    assert.equal(textOf(question.handedOut ?? 'none'), '(none)');
    await asked[0]?.writes('\n    return a');
    assert.equal(textOf(await early), 'a = 1');
    assert.equal(question.handedOut?.text, 'a = 1');
    await asked[0]?.ends('stopToken');
    assert.equal(textOf(await whole), 'a = 1\n    return a');
  });

  it('hands out at its deadline what there is, and goes on', async () => {
    const { ask, asked } = setUp();
    const here = at('let a = |');
    const question = ask(here, 5);
    const outcome = question.until(here, never, true);
    await asked[0]?.writes('one + ');
    assert.equal(textOf(await outcome), 'one +');
    assert.equal(asked[0]?.signal.aborted, false);
    await asked[0]?.writes('two;');
    await asked[0]?.ends();
    assert.equal((await question.answer).suggestion?.text, 'one + two;');
  });

  it('goes on answering while the keys typed agree with what it writes', async () => {
    const { asker, ask, asked } = setUp();
    const question = ask(at('let a = |'));
    await asked[0]?.writes('first');
    const there = at('let a = fi|');
    assert.equal(asker.underway(there), question);
    const outcome = question.until(there, never, true);
    await asked[0]?.writes('(b);');
    await asked[0]?.ends();
    assert.equal(textOf(await outcome), 'rst(b);');
    assert.equal(asked.length, 1);
  });

  it('says so as soon as the text goes another way', async () => {
    const { asker, ask, asked } = setUp();
    const question = ask(at('let a = |'));
    const there = at('let a = fu|');
    const outcome = question.until(there, never, true);
    await asked[0]?.writes('first');
    assert.equal(textOf(await outcome), '(other)');
    assert.equal(asker.underway(there), undefined);
  });

  it('is given up for another one, and when nobody takes it up again', async () => {
    const { ask, asked, asker } = setUp();
    const here = at('let a = |');
    const first = ask(here);
    const { token, cancel } = cancellable();
    const waited = first.until(here, token, true);
    cancel();
    assert.equal(textOf(await waited), '(none)');
    assert.equal(asked[0]?.signal.aborted, false, 'the next key may want it');
    await assert.rejects(first.answer, /cancelled/);
    const second = ask(here);
    ask(at('let b = |'));
    assert.equal(asked[1]?.signal.aborted, true);
    await assert.rejects(second.answer, /cancelled/);
    assert.equal(asker.underway(here), undefined);
  });
});
