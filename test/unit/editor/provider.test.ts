/** What the user is shown who asks for suggestions, on a session that answers when the test says. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CancellationToken, InlineCompletionContext, TextDocument } from 'vscode';
import type { CompletionRequest, CompletionResult } from '../../../src/engine/protocol';
import { buildParts, type BuiltParts } from './build';

const turn = () => new Promise((resolve) => setImmediate(resolve));

interface Asked {
  readonly request: CompletionRequest;
  readonly signal: AbortSignal;
  writes(text: string): Promise<void>;
  ends(): Promise<void>;
}

describe('suggestions for who asks for them', () => {
  let built: BuiltParts;
  let provider: { dispose(): void } | undefined;

  before(async () => {
    built = await buildParts();
  });

  after(() => built.remove());

  afterEach(() => provider?.dispose());

  /** The user asks at a cursor; what is shown comes when the promise is settled. */
  function ask(text: string) {
    const { CompletionProvider, vscode } = built.parts;
    vscode.open(text);
    const asked: Asked[] = [];
    const complete = (
      request: CompletionRequest,
      signal: AbortSignal,
      onStep: (step: unknown) => void,
    ) => {
      const texts: string[] = [];
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('cancelled')));
        asked.push({
          request,
          signal,
          writes: async (piece) => {
            texts.push(piece);
            onStep({ text: piece });
            await turn();
          },
          ends: async () => {
            const steps = texts.map((each) => ({ text: each, n: 1 }));
            const ended = { text: texts.join(''), steps, replaceRight: 0, stopReason: 'stopToken' };
            resolve({ ...ended, prefillMs: 1 } as Partial<CompletionResult>);
            await turn();
          },
        });
      });
    };
    const log = { debug: () => undefined, error: () => undefined };
    const session = { complete, log, record: () => undefined, state: { kind: 'idle' } };
    const made = new CompletionProvider(
      session as never,
      { active: false } as never,
      { for: () => [] } as never,
      { firstMs: 50, secondMs: 50 },
    );
    provider = made;
    const { token } = new vscode.CancellationTokenSource();
    const shown = made
      .provideInlineCompletionItems(
        vscode.document as unknown as TextDocument,
        vscode.window.activeTextEditor?.selection.active as never,
        { triggerKind: vscode.InlineCompletionTriggerKind.Invoke } as InlineCompletionContext,
        token as CancellationToken,
      )
      .then((items) => items?.map(({ insertText }) => insertText));
    return { asked, shown };
  }

  it('are two, where the model has another one', async () => {
    const { asked, shown } = ask('let a = |');
    await asked[0]?.writes('b;');
    await asked[0]?.ends();
    await asked[1]?.writes('c;');
    await asked[1]?.ends();
    assert.deepEqual(await shown, ['let a = b;', 'let a = c;']);
  });

  it('are the first alone, where the second takes too long', async () => {
    const { asked, shown } = ask('let a = |');
    await asked[0]?.writes('b;');
    await asked[0]?.ends();
    await asked[1]?.writes('c');
    assert.deepEqual(await shown, ['let a = b;']);
    await sleep(300);
    assert.equal(asked[1]?.signal.aborted, true, 'and it is given up');
  });

  it('are what there is, where the first takes too long, and its rest is not given up', async () => {
    const { asked, shown } = ask('def f():\n    |');
    await asked[0]?.writes('a = 1\n');
    await asked[0]?.writes('    b = 2\n    ret');
    assert.deepEqual(await shown, ['    a = 1\n    b = 2']);
    assert.equal(built.parts.vscode.script.contexts['dynamo.writing'], true);
    assert.equal(asked.length, 1);
    assert.equal(asked[0]?.signal.aborted, false);
    await asked[0]?.writes('urn a');
    await asked[0]?.ends();
    assert.equal(built.parts.vscode.script.contexts['dynamo.writing'], false);
  });
});
