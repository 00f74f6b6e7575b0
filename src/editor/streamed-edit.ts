/**
 * Writes text that arrives in pieces into a document, at a place that edits elsewhere move. All pieces
 * are one undo, unless the user edits meanwhile. Where no editor shows the document, the pieces wait;
 * when the document closes or the place itself is edited, it is over.
 */
import * as vscode from 'vscode';
import { afterChanges, type Stretch } from '../completion/place';

export class StreamedEdit implements vscode.Disposable {
  readonly #disposables: vscode.Disposable[];
  #written: Stretch;
  #waiting = '';
  #flushing: Promise<void> | undefined;
  #expected: { readonly offset: number; readonly text: string } | undefined;
  /** Whether the next piece begins a new undo: the first one, and after the user's own edits. */
  #newUndo = true;
  /** Whether nothing was written yet. */
  #pristine = true;
  #over = false;
  #pieces = 0;
  #saved = false;
  /** Whether somebody else edited the document. */
  #edited = false;
  #joining = false;
  readonly #original: string;
  readonly #replacedLength: number;

  /**
   * @param range what the text takes the place of
   * @param onLost told when the place is gone, with a sentence for the user
   */
  constructor(
    private readonly document: vscode.TextDocument,
    range: vscode.Range,
    private readonly onLost: (why: string) => void,
  ) {
    const start = document.offsetAt(range.start);
    this.#written = { start, end: document.offsetAt(range.end) };
    this.#original = document.getText();
    this.#replacedLength = this.#written.end - start;
    this.#disposables = [
      vscode.workspace.onDidSaveTextDocument((saved) => {
        if (saved === document) this.#saved = true;
      }),
      vscode.workspace.onDidChangeTextDocument((event) => {
        if (event.document === document) this.#changed(event.contentChanges);
      }),
      vscode.workspace.onDidCloseTextDocument((closed) => {
        if (closed === document) this.#lose('The document was closed.');
      }),
      vscode.window.onDidChangeVisibleTextEditors(() => void this.#flush()),
    ];
  }

  write(text: string): Promise<void> {
    if (this.#over) return Promise.resolve();
    this.#waiting += text;
    return this.#flush();
  }

  /** Writes the rest; where no editor shows the document, in one piece. */
  async end(): Promise<void> {
    await this.#flush();
    if (this.#over) return;
    if (this.#waiting === '') return await this.#joinUndo();
    const edit = new vscode.WorkspaceEdit();
    const end = this.document.positionAt(this.#written.end);
    const from = this.#pristine ? this.document.positionAt(this.#written.start) : end;
    edit.replace(this.document.uri, new vscode.Range(from, end), this.#waiting);
    this.#waiting = '';
    await vscode.workspace.applyEdit(edit);
  }

  /**
   * VS Code ends an undo whenever it saves, also by itself while pieces come in. Then all pieces are
   * taken back and the whole is put in at once. Not when the user has edited in between.
   */
  async #joinUndo(): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!this.#saved || this.#edited || editor?.document !== this.document) return;
    const { start, end } = this.#written;
    const text = this.document.getText(
      new vscode.Range(this.document.positionAt(start), this.document.positionAt(end)),
    );
    const whole = this.document.getText();
    this.#joining = true;
    let undone = 0;
    while (this.document.getText() !== this.#original && undone < this.#pieces) {
      await vscode.commands.executeCommand('undo');
      undone += 1;
    }
    if (this.document.getText() !== this.#original) {
      for (; undone > 0 && this.document.getText() !== whole; undone -= 1) {
        await vscode.commands.executeCommand('redo');
      }
      return;
    }
    const range = new vscode.Range(
      this.document.positionAt(start),
      this.document.positionAt(start + this.#replacedLength),
    );
    await editor.edit((edit) => {
      edit.delete(range);
      edit.insert(range.start, text);
    });
  }

  dispose(): void {
    this.#over = true;
    for (const disposable of this.#disposables) disposable.dispose();
  }

  async #flush(): Promise<void> {
    while (this.#canWrite) {
      this.#flushing ??= this.#write();
      await this.#flushing;
    }
  }

  get #canWrite(): boolean {
    return this.#waiting !== '' && !this.#over && this.#editor !== undefined;
  }

  get #editor(): vscode.TextEditor | undefined {
    return vscode.window.visibleTextEditors.find(({ document }) => document === this.document);
  }

  async #write(): Promise<void> {
    try {
      await this.#writeWaiting();
    } finally {
      this.#flushing = undefined;
    }
  }

  async #writeWaiting(): Promise<void> {
    let refused = 0;
    while (this.#waiting !== '' && !this.#over) {
      const editor = this.#editor;
      if (!editor) return;
      const text = this.#waiting;
      const { start, end } = this.#written;
      const old = this.#pristine
        ? new vscode.Range(this.document.positionAt(start), this.document.positionAt(end))
        : undefined;
      const offset = this.#pristine ? start : end;
      this.#expected = { offset, text };
      const { version } = this.document;
      const follow = editor.selection.active.isEqual(this.document.positionAt(end));
      const write = (edit: vscode.TextEditorEdit) => {
        if (old && !old.isEmpty) edit.delete(old);
        edit.insert(this.document.positionAt(offset), text);
      };
      const undo = { undoStopBefore: this.#newUndo, undoStopAfter: false };
      // VS Code throws when the editor was closed meanwhile.
      const done = await editor.edit(write, undo).then(Boolean, () => false);
      this.#expected = undefined;
      if (!done) {
        // The user's edit came first, as long as there are any; else the document takes none at all.
        refused = this.document.version === version ? refused + 1 : 0;
        if (refused > 20) return this.#lose('The document cannot be edited; it may be read-only.');
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      refused = 0;
      this.#newUndo = false;
      this.#pristine = false;
      this.#pieces += 1;
      this.#waiting = this.#waiting.slice(text.length);
      if (follow) editor.revealRange(editor.selection);
    }
  }

  #changed(changes: readonly vscode.TextDocumentContentChangeEvent[]): void {
    if (changes.length === 0 || this.#over || this.#joining) return;
    const expected = this.#expected;
    if (expected && changes.some((change) => isOwn(change, expected))) {
      // At once: the user's next change may come before the edit's own answer, and moves this.
      const { start } = this.#written;
      this.#written = { start, end: expected.offset + expected.text.length };
      return;
    }
    this.#newUndo = true;
    this.#edited = true;
    const moved = afterChanges(this.#written, changes);
    if (moved) this.#written = moved;
    else this.#lose('The text was edited where it was being written.');
  }

  #lose(why: string): void {
    if (this.#over) return;
    this.dispose();
    this.onLost(why);
  }
}

/** Whether a change is the insertion that was just asked for. */
function isOwn(
  { rangeOffset, text }: vscode.TextDocumentContentChangeEvent,
  expected: { readonly offset: number; readonly text: string },
): boolean {
  return rangeOffset === expected.offset && text === expected.text;
}
