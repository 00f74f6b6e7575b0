/** The threshold view: what the model was sure of, and where the thresholds cut. */
import * as vscode from 'vscode';
import type { OtherFiles } from '../other-files';
import type { Session } from '../session';
import { Counters } from './counters';
import { showRestored } from './restored';

export const VIEW_TYPE = 'dynamo.thresholds';

export function registerThresholds(
  { extensionUri }: vscode.ExtensionContext,
  session: Session,
  otherFiles: OtherFiles,
): vscode.Disposable {
  const counters = new Counters();
  /** There is one at most. */
  let shown: vscode.WebviewPanel | undefined;

  /** The view's code is read when the view is first shown. */
  async function adopt(webview: vscode.WebviewPanel): Promise<void> {
    shown?.dispose();
    shown = webview;
    webview.onDidDispose(() => {
      if (shown === webview) shown = undefined;
    });
    const { ThresholdPanel } = await import('./panel');
    if (shown === webview)
      new ThresholdPanel(webview, extensionUri, { session, otherFiles, counters });
  }

  const parts = vscode.Disposable.from(
    session.onDidComplete(({ result }) => counters.add(result)),
    vscode.commands.registerCommand('dynamo.showThresholds', async () => {
      if (shown) return shown.reveal(undefined, true);
      if (await showRestored(VIEW_TYPE)) return;
      const column = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
      await adopt(vscode.window.createWebviewPanel(VIEW_TYPE, 'Threshold view', column));
    }),
    // After a restart of the window the view is there again, with what its user had set.
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: (webview) => adopt(webview),
    }),
  );
  return {
    dispose: () => {
      shown?.dispose();
      parts.dispose();
    },
  };
}
