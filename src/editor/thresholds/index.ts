/** The threshold view: what the model was sure of, and where the thresholds cut. */
import * as vscode from 'vscode';
import type { OtherFiles } from '../other-files';
import type { Session } from '../session';
import { Counters } from './counters';
import type { ThresholdPanel } from './panel';

export const VIEW_TYPE = 'dynamo.thresholds';

/** What tests may look at. */
export interface Thresholds extends vscode.Disposable {
  readonly panel: ThresholdPanel | undefined;
}

export function registerThresholds(
  { extensionUri }: vscode.ExtensionContext,
  session: Session,
  otherFiles: OtherFiles,
): Thresholds {
  const counters = new Counters();
  let panel: ThresholdPanel | undefined;

  /** The view's code is read when the view is first shown. */
  async function adopt(webview: vscode.WebviewPanel): Promise<void> {
    const { ThresholdPanel } = await import('./panel');
    const made = new ThresholdPanel(webview, extensionUri, { session, otherFiles, counters });
    panel = made;
    webview.onDidDispose(() => {
      if (panel === made) panel = undefined;
    });
  }

  const parts = vscode.Disposable.from(
    session.onDidComplete(({ result }) => counters.add(result)),
    vscode.commands.registerCommand('dynamo.showThresholds', async () => {
      if (panel) return panel.show();
      const column = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
      await adopt(vscode.window.createWebviewPanel(VIEW_TYPE, 'Threshold view', column));
    }),
    // After a restart of the window the view is there again, with what its user had set.
    vscode.window.registerWebviewPanelSerializer(VIEW_TYPE, {
      deserializeWebviewPanel: (webview) => adopt(webview),
    }),
  );
  return {
    get panel() {
      return panel;
    },
    dispose: () => {
      panel?.dispose();
      parts.dispose();
    },
  };
}
