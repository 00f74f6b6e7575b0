/** The status item: what the engine does, how fast it is, and the way to the menu. */
import * as vscode from 'vscode';
import type { Pause } from './pause';
import type { Session } from './session';
import { describe } from './status-text';

const BUSY_AFTER_MS = 400;

export class StatusItem implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem(
    'dynamo.status',
    vscode.StatusBarAlignment.Right,
    100,
  );
  readonly #disposables: vscode.Disposable[];
  #busyTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly session: Session,
    private readonly pause: Pause,
  ) {
    this.#item.name = 'DynaMo';
    this.#item.command = 'dynamo.menu';
    const update = () => this.#update();
    this.#disposables = [
      this.#item,
      session.onDidChangeState(update),
      session.onDidComplete(update),
      pause.onDidChange(update),
      vscode.window.onDidChangeActiveTextEditor(update),
      vscode.workspace.onDidChangeConfiguration(update),
    ];
    this.#update();
    this.#item.show();
  }

  dispose(): void {
    clearTimeout(this.#busyTimer);
    for (const disposable of this.#disposables) disposable.dispose();
  }

  /** A completion that is there at once is no reason for the item to flicker. */
  #update(): void {
    clearTimeout(this.#busyTimer);
    const { state } = this.session;
    if (state.kind === 'ready' && state.busy) {
      this.#busyTimer = setTimeout(() => this.#show(), BUSY_AFTER_MS);
    } else {
      this.#show();
    }
  }

  #show(): void {
    const { text, detail, severity } = describe(this.session, this.pause);
    this.#item.text = text;
    this.#item.tooltip = new vscode.MarkdownString(detail, true);
    this.#item.accessibilityInformation = { label: detail.replace(/[*$()`]/g, ''), role: 'button' };
    this.#item.backgroundColor =
      severity && new vscode.ThemeColor(`statusBarItem.${severity}Background`);
  }
}
