/**
 * *Accept next step*: takes what the model decoded in one step, often several tokens, and leaves the
 * rest on screen. VS Code tells nobody which of several suggestions is shown; where there are
 * several, its own "accept word" finds that out.
 */
import * as vscode from 'vscode';
import { nextStep, type Suggestion } from '../completion/suggestion';
import type { CompletionProvider } from './provider';

export function registerAcceptStep(provider: CompletionProvider): vscode.Disposable {
  return vscode.commands.registerCommand('dynamo.acceptNextStep', () => acceptNextStep(provider));
}

async function acceptNextStep(provider: CompletionProvider): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor?.selection.isEmpty) return;
  const { document } = editor;
  const shown = provider.shownAt({ document, position: editor.selection.active });
  const [first, ...others] = shown;
  if (first && others.length === 0) {
    await insert(editor, first, nextStep(first), true);
  } else {
    const before = document.offsetAt(editor.selection.active);
    await vscode.commands.executeCommand('editor.action.inlineSuggest.acceptNextWord');
    const after = document.offsetAt(editor.selection.active);
    if (after <= before) return;
    const word = document.getText(
      new vscode.Range(document.positionAt(before), editor.selection.active),
    );
    const taken = shown.find(({ text }) => text.startsWith(word));
    const step = taken ? nextStep(taken).slice(word.length) : '';
    if (taken && step !== '') await insert(editor, without(taken, word), step, false);
  }
  await provider.refresh();
}

/** Inserts `text`, the beginning of the suggestion; with its end goes what it replaces. */
async function insert(
  editor: vscode.TextEditor,
  suggestion: Suggestion,
  text: string,
  undoStop: boolean,
): Promise<void> {
  const position = editor.selection.active;
  const replaced = text === suggestion.text ? suggestion.replace : 0;
  await editor.edit(
    (edit) => {
      edit.insert(position, text);
      if (replaced > 0) {
        edit.delete(new vscode.Range(position, position.translate(0, replaced)));
      }
    },
    { undoStopBefore: undoStop, undoStopAfter: true },
  );
}

const without = (suggestion: Suggestion, word: string): Suggestion => ({
  ...suggestion,
  text: suggestion.text.slice(word.length),
});
