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
  /** Whether the next piece takes the place of the whole stretch, as the first one does. */
  #pristine = true;
  #over = false;
  #pieces = 0;
  #saved = false;
  /** Whether somebody else edited the document. */
  #edited = false;
  #joining = false;
  readonly #original: string;
  /** What the text takes the place of. */
  readonly #replaced: string;

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
    this.#replaced = document.getText(range);
    this.#disposables = [
      vscode.workspace.onDidSaveTextDocument((saved) => {
        if (saved === document) this.#saved = true;
      }),
      vscode.workspace.onDidChangeTextDocument((event) => {
        if (event.document === document) this.#changed(event);
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
    if (this.#waiting === '') await this.#joinUndo();
    else await this.#writeUnseen();
  }

  /** Puts back what the text took the place of. */
  async takeBack(): Promise<void> {
    this.#waiting = '';
    await this.#flushing;
    if (this.#over || this.#pristine) return;
    this.#pristine = true;
    this.#waiting = this.#replaced;
    await this.#flush();
    if (!this.#over && this.#waiting !== '') await this.#writeUnseen();
  }

  /** The last piece, where no editor shows the document. */
  async #writeUnseen(): Promise<void> {
    this.#over = true;
    const edit = new vscode.WorkspaceEdit();
    const { start, end } = this.#written;
    const range = this.#rangeOf(this.#pristine ? start : end, end);
    edit.replace(this.document.uri, range, this.#waiting);
    await vscode.workspace.applyEdit(edit);
  }

  /**
   * VS Code ends an undo whenever it saves, also by itself while pieces come in. Then all pieces are
   * taken back and the whole is put in at once. Not when the user has edited in between.
   */
  async #joinUndo(): Promise<void> {
    const { document } = this;
    if (!this.#saved || this.#edited) return;
    if (vscode.window.activeTextEditor?.document !== document) return;
    const textNow = () => document.getText(this.#rangeOf(this.#written.start, this.#written.end));
    const text = textNow();
    this.#joining = true;
    await this.#undoPieces();
    this.#joining = false;
    if (textNow() === text) return;
    this.#pristine = true;
    this.#newUndo = true;
    await this.write(text);
  }

  /** Undo runs on whatever has the focus: what it takes from somebody else is given back. */
  async #undoPieces(): Promise<void> {
    const { document } = this;
    for (let left = this.#pieces; left > 0; left -= 1) {
      if (this.#edited || this.#over || document.getText() === this.#original) return;
      const { version } = document;
      await vscode.commands.executeCommand('undo');
      if (document.version !== version) continue;
      await vscode.commands.executeCommand('redo');
      return;
    }
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

  #rangeOf(start: number, end: number): vscode.Range {
    return new vscode.Range(this.document.positionAt(start), this.document.positionAt(end));
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
      const old = this.#pristine ? this.#rangeOf(start, end) : undefined;
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

  #changed({ contentChanges: changes, reason }: vscode.TextDocumentChangeEvent): void {
    if (changes.length === 0 || this.#over) return;
    const expected = this.#expected;
    if (expected && changes.some((change) => isOwn(change, expected))) {
      // At once: the user's next change may come before the edit's own answer, and moves this.
      const { start } = this.#written;
      this.#written = { start, end: expected.offset + expected.text.length };
      return;
    }
    if (this.#joining && reason !== undefined) {
      // An undo of what was written here.
      const { start, end } = this.#written;
      const by = changes.reduce((sum, { text, rangeLength }) => sum + text.length - rangeLength, 0);
      this.#written = { start, end: end + by };
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
