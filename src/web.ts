/** In an editor that runs in a browser alone there are no processes, so no models: says so. */
import * as vscode from 'vscode';

const MESSAGE =
  'DynaMo runs its model in a process of its own, which a browser cannot start. ' +
  'Open the folder in the desktop editor, or connect to a remote machine or container.';

export function activate(context: vscode.ExtensionContext): void {
  const item = vscode.window.createStatusBarItem('dynamo.status', vscode.StatusBarAlignment.Right);
  item.name = 'DynaMo';
  item.text = '$(circle-slash) DynaMo';
  item.tooltip = MESSAGE;
  item.command = 'dynamo.menu';
  item.show();
  const explain = () => void vscode.window.showInformationMessage(MESSAGE);
  context.subscriptions.push(item, vscode.commands.registerCommand('dynamo.menu', explain));
}
