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
import { contextAt } from './document';
import { codeOf, type Session } from './session';
import { completionSettings } from './settings';
import { StreamedEdit } from './streamed-edit';

const MAX_TOKENS = 512;
/** A continuation without instruction has no natural end in prose. */
const MAX_TOKENS_CONTINUED = 200;

interface Task {
  readonly title: string;
  readonly editor: vscode.TextEditor;
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
    const command = (id: string, run: (editor: vscode.TextEditor) => Promise<Task | undefined>) =>
      vscode.commands.registerCommand(`dynamo.${id}`, async () => {
        const editor = vscode.window.activeTextEditor;
        if (!editor) return say('Open a document first.');
        if (this.#abort) return say('Something is being generated already. Cancel it first.');
        if (await isReadOnly(editor.document)) return say('This document is read-only.');
        const task = await run(editor);
        if (task) await this.#run(task);
      });
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

  async #run(task: Task): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    await vscode.commands.executeCommand('setContext', 'dynamo.generating', true);
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
      this.#abort = undefined;
      await vscode.commands.executeCommand('setContext', 'dynamo.generating', false);
    }
  }

  async #stream(
    { editor, range, request, maxTokens, indent }: Task,
    abort: AbortController,
    progress: vscode.Progress<{ message?: string }>,
  ): Promise<void> {
    const { document } = editor;
    const newline = document.eol === vscode.EndOfLine.CRLF ? '\r\n' : '\n';
    const answer = new Answer({ indent, newline });
    let lost: string | undefined;
    const edit = new StreamedEdit(document, range, (why) => {
      lost = why;
      abort.abort();
    });
    const { mode, epsilon } = completionSettings(document);
    let tokens = 0;
    let written: Promise<void> = Promise.resolve();
    const closed = new AbortController();
    const signal = AbortSignal.any([abort.signal, closed.signal]);
    progress.report({ message: 'reading' });
    try {
      await this.session.generate(
        { ...request, mode, ...(epsilon !== undefined && { epsilon }), maxTokens },
        (step) => {
          tokens += step.n;
          progress.report({ message: `${tokens} tokens` });
          written = edit.write(answer.push(step.text));
          if (request.chat && answer.closed) closed.abort();
        },
        signal,
      );
    } catch (error) {
      // The end of a code block is the end of the answer; a cancellation keeps what is there.
      if (!signal.aborted) {
        this.session.log.warn(`generation: ${codeOf(error) ?? 'error'}`);
        void say(error instanceof Error ? error.message : String(error));
      }
    }
    await written;
    if (!abort.signal.aborted) void edit.write(answer.end());
    if (!lost) await edit.end();
    edit.dispose();
    const how = abort.signal.aborted ? 'cancelled' : 'ended';
    this.session.log.info(`generation ${how} after ${tokens} tokens`);
    if (lost) void say(`${lost} Generation has stopped; what was written stays.`);
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
  const instruction = await ask('What is to be written?', 'a function that parses an ISO date');
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
  const instruction = await ask('How is it to be rewritten?', 'add type hints');
  if (instruction === undefined) return undefined;
  const context = contextAt(document, range.start);
  const before = document.lineAt(range.start).text.slice(0, range.start.character);
  const { text } = unindented(indentationOf(before) + document.getText(range));
  const { prompt, begun } = rewriteInstruction(instruction, text, context);
  return {
    title: 'rewriting',
    editor,
    range,
    request: { prompt, chat: true, begun },
    maxTokens: MAX_TOKENS,
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

async function ask(prompt: string, example: string): Promise<string | undefined> {
  const answer = await vscode.window.showInputBox({
    prompt,
    placeHolder: example,
    title: 'DynaMo',
  });
  return answer?.trim() === '' ? undefined : answer?.trim();
}

async function isReadOnly({ uri }: vscode.TextDocument): Promise<boolean> {
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
