/**
 * Reading ahead: where the cursor comes to rest in another place or file, the model reads the text
 * around it before anybody asks, so that the first key there is answered as quickly as the next. Only
 * while the engine runs anyway; whoever types takes its place at once.
 */
import * as vscode from 'vscode';
import type { CompletionProvider } from './provider';

/** How long a cursor rests before it is worth reading; whoever scrolls by arrow keys does not, ms. */
const REST_MS = 250;

export class WarmUp implements vscode.Disposable {
  readonly #disposables: vscode.Disposable[];
  #timer: NodeJS.Timeout | undefined;
  #last: { readonly document: vscode.TextDocument; readonly line: number } | undefined;

  constructor(private readonly provider: CompletionProvider) {
    this.#disposables = [
      vscode.window.onDidChangeActiveTextEditor((editor) => editor && this.#moved(editor)),
      vscode.window.onDidChangeTextEditorSelection(({ textEditor }) => this.#moved(textEditor)),
      // Who types asks anyway.
      vscode.workspace.onDidChangeTextDocument(() => clearTimeout(this.#timer)),
    ];
  }

  dispose(): void {
    clearTimeout(this.#timer);
    for (const disposable of this.#disposables) disposable.dispose();
  }

  #moved({ document, selection }: vscode.TextEditor): void {
    const { line } = selection.active;
    const last = this.#last;
    this.#last = { document, line };
    // Typing moves on within a line, or to the next one.
    if (last?.document === document && Math.abs(last.line - line) <= 1) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#read(document), REST_MS);
    this.#timer.unref();
  }

  #read(document: vscode.TextDocument): void {
    const editor = vscode.window.activeTextEditor;
    if (editor?.document !== document) return;
    this.provider.readAhead({ document, position: editor.selection.active });
  }
}
