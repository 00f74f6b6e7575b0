/**
 * The first keys in a window. VS Code loads the part of an editor that asks for inline completions
 * when it finds the time, up to five seconds after the editor was opened; keys before that ask
 * nobody, and nothing is suggested until the next one. So until it has asked for once, it is made to
 * when typing pauses.
 */
import * as vscode from 'vscode';

/** By then VS Code has asked if it is going to, ms. */
const PAUSE_MS = 300;

export class FirstKeys implements vscode.Disposable {
  readonly #listener: vscode.Disposable;
  #timer: NodeJS.Timeout | undefined;

  /** @param provider says whether it was asked yet, and makes VS Code ask */
  constructor(private readonly provider: { readonly asked: boolean; refresh(): Promise<void> }) {
    this.#listener = vscode.workspace.onDidChangeTextDocument((event) => this.#changed(event));
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.#listener.dispose();
  }

  #changed({ document, contentChanges, reason }: vscode.TextDocumentChangeEvent): void {
    if (contentChanges.length === 0) return; // Saved, or no longer saved.
    clearTimeout(this.#timer);
    if (this.provider.asked) return this.dispose();
    const isTyped = reason === undefined && contentChanges.some(({ text }) => text !== '');
    if (!isTyped || !isWanted(document)) return;
    this.#timer = setTimeout(() => {
      if (!this.provider.asked && isWanted(document)) void this.provider.refresh();
    }, PAUSE_MS);
    this.#timer.unref();
  }
}

function isWanted(document: vscode.TextDocument): boolean {
  if (vscode.window.activeTextEditor?.document !== document) return false;
  const settings = vscode.workspace.getConfiguration('editor.inlineSuggest', document);
  return settings.get<boolean>('enabled', true);
}
