/** What the extension leaves behind when it is deactivated: nothing. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type * as Activation from '../../fixtures/activation';
import { buildFixture, type BuiltFixture } from '../../fixtures/build';

interface Subscription {
  dispose(): unknown;
}

describe('deactivation', () => {
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
});
