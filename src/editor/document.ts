/** From VS Code's documents to the text around a cursor, and back to ranges. */
import * as vscode from 'vscode';
import type { CursorContext } from '../completion/types';

/** Characters left of the cursor that are looked at, at least; more than any prompt holds. */
const LEFT = 32_768;
/** The left text begins at a multiple of this, so that it stays the same while one types. */
const GRID = 16_384;
/** Characters right of the cursor that are looked at. */
const RIGHT = 8_192;

export function contextAt(document: vscode.TextDocument, position: vscode.Position): CursorContext {
  const offset = document.offsetAt(position);
  const start = Math.max(0, Math.floor((offset - LEFT) / GRID) * GRID);
  const from = start === 0 ? new vscode.Position(0, 0) : document.positionAt(start);
  const to = document.positionAt(offset + RIGHT);
  return {
    prefix: document.getText(new vscode.Range(from, position)).replace(/^[\uDC00-\uDFFF]/, ''),
    suffix: document.getText(new vscode.Range(position, to)).replace(/[\uD800-\uDBFF]$/, ''),
    language: document.languageId,
  };
}

/** Whether a user writes documents of this scheme. */
export function isWritableScheme(scheme: string): boolean {
  if (scheme === 'untitled' || scheme === 'vscode-notebook-cell') return true;
  return vscode.workspace.fs.isWritableFileSystem(scheme) === true;
}

/** A range on the cursor's line. */
export function around(position: vscode.Position, left: number, right: number): vscode.Range {
  return new vscode.Range(position.translate(0, -left), position.translate(0, right));
}
