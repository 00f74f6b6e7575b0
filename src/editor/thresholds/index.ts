/** The threshold view: what the model was sure of, and where the thresholds cut. */
import * as vscode from 'vscode';
import type { Session } from '../session';

export function registerThresholds(
  _context: vscode.ExtensionContext,
  session: Session,
): vscode.Disposable {
  return vscode.commands.registerCommand('dynamo.showThresholds', () => session.log.show());
}
