/** What the extension leaves behind when it is deactivated: nothing; and that its view is one. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type * as Activation from '../../fixtures/activation';
import { buildFixture, type BuiltFixture } from '../../fixtures/build';

interface Subscription {
  dispose(): unknown;
}

describe('the extension, activated and deactivated', () => {
  let fixture: BuiltFixture;
  let extension: typeof Activation;

  before(() => {
    fixture = buildFixture('test/fixtures/activation.ts', {
      vscode: 'test/fixtures/recording-vscode.ts',
    });
    extension = createRequire(resolve('package.json'))(fixture.path) as typeof Activation;
  });

  after(() => fixture.remove());

  function activated(): Subscription[] {
    const subscriptions: Subscription[] = [];
    const context = {
      subscriptions,
      extensionPath: resolve('.'),
      extensionUri: {},
      extension: { id: 'dynamo-completion.dynamo-completion' },
      extensionMode: 1,
    };
    extension.activate(context as unknown as Parameters<typeof extension.activate>[0]);
    return subscriptions;
  }

  const disposeAll = (subscriptions: readonly Subscription[]) => {
    for (const subscription of [...subscriptions].reverse()) subscription.dispose();
  };

  it('disposes of everything that activation made', () => {
    const subscriptions = activated();
    assert.ok(extension.live().length > 30, 'activation registers commands, listeners and items');
    disposeAll(subscriptions);
    assert.deepEqual(extension.live(), []);
  });

  it('disposes of the threshold view, too, when it was opened', async () => {
    const subscriptions = activated();
    const before = extension.live().length;
    await extension.runCommand('dynamo.showThresholds');
    assert.ok(extension.live().length > before);
    disposeAll(subscriptions);
    assert.deepEqual(extension.live(), []);
  });

  it('opens one threshold view, however often it is asked for', async () => {
    const subscriptions = activated();
    const show = () => extension.runCommand('dynamo.showThresholds');
    await Promise.all([show(), show()]);
    await show();
    const panels = extension.live().filter((made) => made.endsWith('createWebviewPanel'));
    assert.equal(panels.length, 1);
    disposeAll(subscriptions);
  });

  it('shows the tab of a threshold view that was restored, and gives the focus back', async () => {
    const subscriptions = activated();
    extension.restoreTab('dynamo.thresholds');
    extension.executed.length = 0;
    await extension.runCommand('dynamo.showThresholds');
    assert.ok(!extension.live().some((made) => made.endsWith('createWebviewPanel')));
    assert.deepEqual(extension.executed, [
      ['workbench.action.focusSecondEditorGroup'],
      ['workbench.action.openEditorAtIndex', 1],
      ['workbench.action.focusFirstEditorGroup'],
    ]);
    extension.restoreTab();
    disposeAll(subscriptions);
  });
});
