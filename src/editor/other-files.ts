/**
 * Parts of other open files for the prompt. What was chosen for a document stays the same until the
 * user turns to another one and back, so that its keys and values stay in the cache.
 */
import * as vscode from 'vscode';
import { chooseFiles } from '../completion/other-files';
import type { OtherFile } from '../completion/types';

/** Documents looked at, the ones used last. */
const MOST_DOCUMENTS = 8;
/** Characters read of each. */
const MOST_CHARACTERS = 20_000;

export class OtherFiles implements vscode.Disposable {
  /** Documents in the order of use, the last one at the end. */
  readonly #used: vscode.TextDocument[] = [];
  readonly #disposables: vscode.Disposable[];
  #chosen: { document: vscode.TextDocument; files: readonly OtherFile[] } | undefined;

  constructor() {
    const visit = (editor: vscode.TextEditor | undefined): void => {
      if (editor) this.#visit(editor.document);
    };
    visit(vscode.window.activeTextEditor);
    this.#disposables = [
      vscode.window.onDidChangeActiveTextEditor(visit),
      vscode.workspace.onDidCloseTextDocument((document) => this.#remove(document)),
    ];
  }

  for(document: vscode.TextDocument): OtherFile[] {
    if (this.#chosen?.document !== document) {
      const candidates = this.#used
        .filter((other) => other !== document && !other.isClosed && isSource(other))
        .reverse()
        .map((other) => ({
          name: vscode.workspace.asRelativePath(other.uri, false),
          language: other.languageId,
          text: other.getText().slice(0, MOST_CHARACTERS),
        }));
      const own = { language: document.languageId, text: document.getText().slice(0, 4000) };
      this.#chosen = { document, files: chooseFiles(own, candidates) };
    }
    return [...this.#chosen.files];
  }

  dispose(): void {
    for (const disposable of this.#disposables) disposable.dispose();
  }

  #visit(document: vscode.TextDocument): void {
    if (this.#chosen?.document !== document) this.#chosen = undefined;
    this.#remove(document);
    this.#used.push(document);
    if (this.#used.length > MOST_DOCUMENTS) this.#used.shift();
  }

  #remove(document: vscode.TextDocument): void {
    const index = this.#used.indexOf(document);
    if (index >= 0) this.#used.splice(index, 1);
  }
}

const isSource = ({ uri }: vscode.TextDocument): boolean =>
  ['file', 'untitled', 'vscode-remote', 'vscode-vfs'].includes(uri.scheme);
