/**
 * *Accept next step*: takes what the model decoded in one step, often several tokens, and leaves the
 * rest on screen. VS Code tells nobody which suggestion is shown, and of which extension; its own
 * "accept word" finds that out. What the step has beyond the word is added, or taken back.
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
  const before = document.offsetAt(editor.selection.active);
  await vscode.commands.executeCommand('editor.action.inlineSuggest.acceptNextWord');
  const { active } = editor.selection;
  const word = document.getText(new vscode.Range(document.positionAt(before), active));
  if (document.offsetAt(active) <= before) return;
  const taken = shown.find(({ text }) => text.startsWith(word));
  if (!taken) return; // Another extension's.
  await complete(editor, taken, word);
  await provider.refresh();
}

/** Makes a step of the word that was accepted of a suggestion, in the same undo. */
async function complete(
  editor: vscode.TextEditor,
  suggestion: Suggestion,
  word: string,
): Promise<void> {
  const { document } = editor;
  const { active } = editor.selection;
  const { text, replace } = suggestion;
  const step = nextStep(suggestion);
  const more = step.length - word.length;
  // With its end goes what the suggestion replaces; where that was the word, VS Code has seen to it.
  if (more === 0 || (replace > 0 && word === text)) return;
  const replaced = step === text ? replace : 0;
  await editor.edit(
    (edit) => {
      if (more > 0) edit.insert(active, step.slice(word.length));
      else
        edit.delete(
          new vscode.Range(document.positionAt(document.offsetAt(active) + more), active),
        );
      if (replaced > 0) edit.delete(new vscode.Range(active, active.translate(0, replaced)));
    },
    { undoStopBefore: false, undoStopAfter: true },
  );
}
