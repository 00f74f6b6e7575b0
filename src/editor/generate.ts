/**
 * Generation from the palette: at the cursor, from an instruction, in place of a selection or behind
 * it. Streams into the document; one at a time.
 */
import { stat } from 'node:fs/promises';
import * as vscode from 'vscode';
import { Answer, unindented } from '../completion/answer';
import { generateInstruction, rewriteInstruction } from '../completion/instruction';
import { indentationOf, isProse } from '../completion/text';
import type { GenerationRequest } from '../engine/protocol';
import { messageOf } from '../models/errors';
import { contextAt, newlineIn } from './document';
import { codeOf, type Session } from './session';
import { completionSettings } from './settings';
import { StreamedEdit } from './streamed-edit';

const MAX_TOKENS = 512;
/** Of a selection that is rewritten: half of a context is the prompt's, and no token is much longer. */
const MOST_CHARACTERS = 16_000;
/** A continuation without instruction has no natural end in prose. */
const MAX_TOKENS_CONTINUED = 200;
/** Why a text ends that the model has not ended. */
const CUT_SHORT = ['maxTokens', 'context'];

type Prepare = (editor: vscode.TextEditor) => Promise<Task | undefined>;

interface Task {
  readonly title: string;
  readonly editor: vscode.TextEditor;
  /** What the text takes the place of: a selection that is rewritten, or nothing. */
  readonly range: vscode.Range;
  readonly request: Pick<GenerationRequest, 'prompt' | 'chat' | 'begun' | 'suffix' | 'language'>;
  readonly maxTokens: number;
  /** White space in front of every line but the first. */
  readonly indent: string;
}

export class Generator implements vscode.Disposable {
  readonly #disposables: vscode.Disposable[];
  #abort: AbortController | undefined;

  constructor(private readonly session: Session) {
    const command = (id: string, prepare: Prepare) =>
      vscode.commands.registerCommand(`dynamo.${id}`, () => this.#begin(prepare));
    this.#disposables = [
      command('generateHere', (editor) => Promise.resolve(here(editor))),
      command('continueSelection', (editor) => Promise.resolve(behindSelection(editor))),
      command('generateFromInstruction', fromInstruction),
      command('rewriteSelection', rewriteSelection),
      vscode.commands.registerCommand('dynamo.cancelGeneration', () => this.#abort?.abort()),
    ];
  }

  dispose(): void {
    this.#abort?.abort();
    for (const disposable of this.#disposables) disposable.dispose();
  }

  /** Nothing else begins from here on, also while the user is asked. */
  async #begin(prepare: Prepare): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!editor) return say('Open a document first.');
    if (this.#abort) return say('Something is being generated already. Cancel it first.');
    const abort = new AbortController();
    this.#abort = abort;
    try {
      if (await isReadOnly(editor.document)) return void say('This document is read-only.');
      const task = await prepare(editor);
      if (task && !abort.signal.aborted) await this.#run(task, abort);
    } finally {
      this.#abort = undefined;
    }
  }

  async #run(task: Task, abort: AbortController): Promise<void> {
    // Paths, as VS Code names them in conditions: Escape cancels where the text is written.
    const { fsPath, path } = task.editor.document.uri;
    await vscode.commands.executeCommand('setContext', 'dynamo.generating', [fsPath, path]);
    try {
      await vscode.window.withProgress(
        {
          location: vscode.ProgressLocation.Notification,
          title: `DynaMo: ${task.title}`,
          cancellable: true,
        },
        async (progress, token) => {
          token.onCancellationRequested(() => abort.abort());
          await this.#stream(task, abort, progress);
        },
      );
    } finally {
      await vscode.commands.executeCommand('setContext', 'dynamo.generating', false);
    }
  }

  async #stream(
    { editor, range, request, maxTokens, indent }: Task,
    abort: AbortController,
    progress: vscode.Progress<{ message?: string }>,
  ): Promise<void> {
    const { document } = editor;
    const kind = request.chat ? (request.begun ? 'block' : 'text') : 'continuation';
    const answer = new Answer({ kind, indent, newline: newlineIn(document) });
    const rewrites = !range.isEmpty;
    let lost: string | undefined;
    /** Why the text is not what was asked for. */
    let failed: string | undefined;
    const edit = new StreamedEdit(document, range, (why) => {
      lost = why;
      abort.abort();
    });
    const { mode, epsilon, fast, lookup } = completionSettings(document);
    const decoding = { mode, ...(epsilon !== undefined && { epsilon }), fast, drafts: { lookup } };
    let tokens = 0;
    let written: Promise<void> = Promise.resolve();
    const closed = new AbortController();
    const signal = AbortSignal.any([abort.signal, closed.signal]);
    progress.report({ message: 'reading' });
    try {
      const { stopReason } = await this.session.generate(
        { ...request, ...decoding, maxTokens },
        (step) => {
          tokens += step.n;
          progress.report({ message: `${tokens} tokens` });
          written = edit.write(answer.push(step.text));
          if (answer.closed) closed.abort();
        },
        signal,
      );
      if (rewrites && !answer.closed && CUT_SHORT.includes(stopReason)) {
        failed = `The answer did not end within ${tokens} tokens.`;
      }
    } catch (error) {
      // The end of a code block is the end of the answer; a cancellation keeps what is there.
      if (!signal.aborted) {
        this.session.log.warn(`generation: ${codeOf(error) ?? 'error'}`);
        failed = messageOf(error);
      }
    }
    await written;
    if (rewrites && failed !== undefined) {
      await edit.takeBack();
      failed += ' The selection is as it was.';
    } else {
      if (!abort.signal.aborted) void edit.write(answer.end());
      if (!lost) await edit.end();
    }
    edit.dispose();
    const how = abort.signal.aborted ? 'cancelled' : 'ended';
    this.session.log.info(`generation ${how} after ${tokens} tokens`);
    if (lost) void say(`${lost} Generation has stopped; what was written stays.`);
    else if (failed !== undefined) void say(failed);
    else if (tokens === 0 && !abort.signal.aborted) void say('The model had nothing to add.');
  }
}

function here(editor: vscode.TextEditor): Task {
  const position = editor.selection.active;
  return continuation('generating', editor, position);
}

function behindSelection(editor: vscode.TextEditor): Task | undefined {
  if (editor.selection.isEmpty) {
    void say('Select the text that is to be continued.');
    return undefined;
  }
  return continuation('continuing', editor, editor.selection.end);
}

function continuation(title: string, editor: vscode.TextEditor, position: vscode.Position): Task {
  const { prefix, suffix, language } = contextAt(editor.document, position);
  const request = isProse(language)
    ? { prompt: prefix, chat: false }
    : { prompt: prefix, chat: false, suffix, language };
  const range = new vscode.Range(position, position);
  return { title, editor, range, request, maxTokens: MAX_TOKENS_CONTINUED, indent: '' };
}

async function fromInstruction(editor: vscode.TextEditor): Promise<Task | undefined> {
  const position = editor.selection.active;
  const question = 'What is to be written?';
  const instruction = await ask(editor, question, 'a function that parses an ISO date');
  if (instruction === undefined) return undefined;
  const context = contextAt(editor.document, position);
  const { prompt, begun } = generateInstruction(instruction, context);
  const left = editor.document.lineAt(position).text.slice(0, position.character);
  return {
    title: 'generating',
    editor,
    range: new vscode.Range(position, position),
    request: { prompt, chat: true, begun },
    maxTokens: MAX_TOKENS,
    indent: indentationOf(left),
  };
}

async function rewriteSelection(editor: vscode.TextEditor): Promise<Task | undefined> {
  const { document, selection } = editor;
  if (selection.isEmpty) {
    void say('Select the text that is to be rewritten.');
    return undefined;
  }
  const range = wholeText(document, selection);
  const selected = document.getText(range);
  if (selected.length > MOST_CHARACTERS) {
    void say('The selection is too long to be rewritten at once. Select less.');
    return undefined;
  }
  const instruction = await ask(editor, 'How is it to be rewritten?', 'add type hints');
  if (instruction === undefined) return undefined;
  const context = contextAt(document, range.start);
  const before = document.lineAt(range.start).text.slice(0, range.start.character);
  const { text } = unindented(indentationOf(before) + selected);
  const { prompt, begun } = rewriteInstruction(instruction, text, context);
  return {
    title: 'rewriting',
    editor,
    range,
    request: { prompt, chat: true, begun },
    // Room for as much again: a token is a character at least, nearly always.
    maxTokens: MAX_TOKENS + selected.length,
    indent: indentationOf(before),
  };
}

/** A selection without the white space at its ends, so that indentation and line break stay. */
function wholeText(document: vscode.TextDocument, selection: vscode.Selection): vscode.Range {
  const text = document.getText(selection);
  const from = document.offsetAt(selection.start);
  const start = text.length - text.trimStart().length;
  const end = text.trimEnd().length;
  if (end <= start) return selection;
  return new vscode.Range(document.positionAt(from + start), document.positionAt(from + end));
}

/** Asks the user; no answer counts where the document has changed meanwhile, and with it the place. */
async function ask(
  { document }: vscode.TextEditor,
  prompt: string,
  example: string,
): Promise<string | undefined> {
  const { version } = document;
  const answer = await vscode.window.showInputBox({
    prompt,
    placeHolder: example,
    title: 'DynaMo',
  });
  const instruction = answer?.trim() ?? '';
  if (instruction === '') return undefined;
  if (document.version === version) return instruction;
  void say('The document has changed meanwhile. Run the command again.');
  return undefined;
}

/** A notebook's cells are written where the notebook is. */
const notebookOf = (document: vscode.TextDocument): vscode.NotebookDocument | undefined =>
  vscode.workspace.notebookDocuments.find((notebook) =>
    notebook.getCells().some((cell) => cell.document === document),
  );

async function isReadOnly(document: vscode.TextDocument): Promise<boolean> {
  const { uri } = notebookOf(document) ?? document;
  if (uri.scheme === 'untitled') return false;
  if (vscode.workspace.fs.isWritableFileSystem(uri.scheme) === false) return true;
  try {
    const { permissions } = await vscode.workspace.fs.stat(uri);
    if (permissions === vscode.FilePermission.Readonly) return true;
    // VS Code edits a file without write permission, and fails when it saves.
    return uri.scheme === 'file' && ((await stat(uri.fsPath)).mode & 0o222) === 0;
  } catch {
    // Not a file; the first edit shows whether it can be written.
    return vscode.workspace.fs.isWritableFileSystem(uri.scheme) === undefined;
  }
}

async function say(message: string): Promise<void> {
  await vscode.window.showInformationMessage(`DynaMo: ${message}`);
}
