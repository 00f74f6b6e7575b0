/**
 * Reading ahead: where the cursor comes to rest in another place or file, the model reads the text
 * around it before anybody asks, so that the first key there is answered as quickly as the next. Only
 * while the engine runs anyway; whoever types takes its place at once.
 */
import * as vscode from 'vscode';
import { refusal } from '../completion/eligibility';
import { contextAt } from './document';
import type { OtherFiles } from './other-files';
import type { Pause } from './pause';
import { requestAt, situationAt } from './place';
import { codeOf, type Session } from './session';
import { completionSettings } from './settings';

/** How long a cursor rests before it is worth reading; whoever scrolls by arrow keys does not, ms. */
const REST_MS = 250;

export class WarmUp implements vscode.Disposable {
  readonly #disposables: vscode.Disposable[];
  #timer: NodeJS.Timeout | undefined;
  #last: { readonly document: vscode.TextDocument; readonly line: number } | undefined;

  constructor(
    private readonly session: Session,
    private readonly pause: Pause,
    private readonly otherFiles: OtherFiles,
  ) {
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

  /** The text around the line's end, where typing is likely to go on. */
  #read(document: vscode.TextDocument): void {
    const editor = vscode.window.activeTextEditor;
    const { session, pause, otherFiles } = this;
    if (editor?.document !== document || pause.active || session.generating) return;
    if (session.state.kind !== 'ready' || session.state.busy) return;
    if (!completionSettings(document).lookAhead) return;
    const { end } = document.lineAt(editor.selection.active).range;
    const context = contextAt(document, end);
    if (refusal(situationAt(document, context, false))) return;
    const request = requestAt(document, context, false, session, otherFiles);
    delete request.deadlineMs; // Nobody waits for it.
    session
      .complete({ ...request, maxTokens: 1, background: true })
      .catch((error: unknown) => session.log.debug(`reading ahead: ${codeOf(error) ?? 'error'}`));
  }
}
