/** From VS Code's documents to the text around a cursor, and back to ranges. */
import * as vscode from 'vscode';
import type { CursorContext } from '../completion/types';

/** Characters left of the cursor that are looked at, at least; more than any prompt holds. */
const LEFT = 32_768;
/** The left text begins at a multiple of this, so that it stays the same while one types. */
const GRID = 16_384;
/** Characters right of the cursor that are looked at, at least. */
const RIGHT = 8_192;
/** The right text ends at a multiple of this from the document's end, for the same reason. */
const GRID_RIGHT = 8_192;

export function contextAt(document: vscode.TextDocument, position: vscode.Position): CursorContext {
  const offset = document.offsetAt(position);
  const start = Math.max(0, Math.floor((offset - LEFT) / GRID) * GRID);
  const from = start === 0 ? new vscode.Position(0, 0) : document.positionAt(start);
  const length = document.offsetAt(new vscode.Position(document.lineCount, 0));
  const beyond = Math.max(0, Math.floor((length - offset - RIGHT) / GRID_RIGHT) * GRID_RIGHT);
  const to = document.positionAt(length - beyond);
  return {
    prefix: document.getText(new vscode.Range(from, position)).replace(/^[\uDC00-\uDFFF]/, ''),
    suffix: document.getText(new vscode.Range(position, to)).replace(/[\uD800-\uDBFF]$/, ''),
    language: document.languageId,
    newline: newlineIn(document),
  };
}

/** The line break of a document, which VS Code writes wherever one is inserted. */
export const newlineIn = ({ eol }: vscode.TextDocument): '\n' | '\r\n' =>
  eol === vscode.EndOfLine.CRLF ? '\r\n' : '\n';

/** Whether a user writes documents of this scheme. */
export function isWritableScheme(scheme: string): boolean {
  if (scheme === 'untitled' || scheme === 'vscode-notebook-cell') return true;
  return vscode.workspace.fs.isWritableFileSystem(scheme) === true;
}

/** A range on the cursor's line. */
export function around(position: vscode.Position, left: number, right: number): vscode.Range {
  return new vscode.Range(position.translate(0, -left), position.translate(0, right));
}
