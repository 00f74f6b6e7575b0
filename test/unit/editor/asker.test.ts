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
  const writing: boolean[] = [];
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
      (now) => writing.push(now),
    );
  return { asker, ask, asked, writing };
}

/** How long one waits for all of it. */
const AT_ONCE = 0;
const LONG_MS = 10_000;

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
    const outcome = ask(here).until(here, never, AT_ONCE);
    await asked[0]?.writes('b');
    await asked[0]?.writes('c;');
    await asked[0]?.ends();
    assert.equal(textOf(await outcome), 'bc;');
  });

  it('hands out the first of several lines before the rest, to who takes it early', async () => {
    const { ask, asked } = setUp();
    const here = at('def f():\n    |', 'python');
    const question = ask(here);
    const early = question.until(here, never, AT_ONCE);
    const whole = question.until(here, never, LONG_MS);
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
    const outcome = question.until(here, never, AT_ONCE);
    await asked[0]?.writes('one + ');
    assert.equal(textOf(await outcome), 'one +');
    assert.equal(asked[0]?.signal.aborted, false);
    await asked[0]?.writes('two;');
    await asked[0]?.ends();
    assert.equal((await question.answer).suggestion?.text, 'one + two;');
  });

  it('hands out what there is to who has waited long enough for all of it', async () => {
    const { ask, asked } = setUp();
    const here = at('def f():\n    |', 'python');
    const question = ask(here);
    const outcome = question.until(here, never, 20);
    await asked[0]?.writes('a = 1\n    b = 2\n    re');
    assert.equal(question.handedOut, undefined, 'the first line alone is not enough');
    assert.equal(textOf(await outcome), 'a = 1\n    b = 2');
    await asked[0]?.writes('turn a');
    await asked[0]?.ends('stopToken');
    const { suggestion } = await question.answer;
    assert.equal(suggestion?.text, 'a = 1\n    b = 2\n    return a');
  });

  it('has nothing to hand out while there is nothing', async () => {
    const { ask, asked } = setUp();
    const here = at('let a = |');
    const outcome = ask(here).until(here, never, 5);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await asked[0]?.writes('b;');
    await asked[0]?.ends();
    assert.equal(textOf(await outcome), 'b;');
  });

  it('tells while the rest of what was handed out is being written, and when it is there', async () => {
    const { ask, asked, writing } = setUp();
    const here = at('def f():\n    |', 'python');
    const early = ask(here).until(here, never, AT_ONCE);
    await asked[0]?.writes('a = 1');
    assert.deepEqual(writing, []);
    await asked[0]?.writes('\n    return a');
    await early;
    assert.deepEqual(writing, [true]);
    await asked[0]?.ends('stopToken');
    assert.deepEqual(writing, [true, false]);
  });

  it('tells of no writing that is over, however quickly the rest comes', async () => {
    const { ask, asked, writing } = setUp();
    const here = at('def f():\n    |', 'python');
    const early = ask(here).until(here, never, AT_ONCE);
    const written = asked[0]?.writes('a = 1\n    return a');
    await asked[0]?.ends('stopToken');
    await Promise.all([written, early]);
    assert.equal(writing.at(-1) ?? false, false);
    assert.ok(writing.length <= 2);
  });

  it('is answered in the line breaks of its document', async () => {
    const { ask, asked } = setUp();
    const here = { ...at('if (a) {|'), newline: '\r\n' } as const;
    const outcome = ask(here).until(here, never, LONG_MS);
    await asked[0]?.writes('\n  b();');
    await asked[0]?.writes('\n}');
    await asked[0]?.ends('stopToken');
    const suggestion = await outcome;
    assert.equal(textOf(suggestion), '\r\n  b();\r\n}');
    assert.deepEqual(typeof suggestion === 'string' ? [] : suggestion.boundaries, [8, 11]);
  });

  it('goes on answering while the keys typed agree with what it writes', async () => {
    const { asker, ask, asked } = setUp();
    const question = ask(at('let a = |'));
    await asked[0]?.writes('first');
    const there = at('let a = fi|');
    assert.equal(asker.underway(there), question);
    const outcome = question.until(there, never, AT_ONCE);
    await asked[0]?.writes('(b);');
    await asked[0]?.ends();
    assert.equal(textOf(await outcome), 'rst(b);');
    assert.equal(asked.length, 1);
  });

  it('says so as soon as the text goes another way', async () => {
    const { asker, ask, asked } = setUp();
    const question = ask(at('let a = |'));
    const there = at('let a = fu|');
    const outcome = question.until(there, never, AT_ONCE);
    await asked[0]?.writes('first');
    assert.equal(textOf(await outcome), '(other)');
    assert.equal(asker.underway(there), undefined);
  });

  it('is given up for another one, and when nobody takes it up again', async () => {
    const { ask, asked, asker } = setUp();
    const here = at('let a = |');
    const first = ask(here);
    const { token, cancel } = cancellable();
    const waited = first.until(here, token, AT_ONCE);
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
