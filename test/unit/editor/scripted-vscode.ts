/**
 * A `vscode` that a test scripts: one open document in one editor, with an undo of its own; settings,
 * commands, and what the user was asked and told. As in the real one, an edit is refused when the
 * document has changed since it was asked for, and undo runs on whatever has the focus.
 */

export class Position {
  constructor(
    readonly line: number,
    readonly character: number,
  ) {}
  isEqual(other: Position): boolean {
    return this.line === other.line && this.character === other.character;
  }
  translate(lines = 0, characters = 0): Position {
    return new Position(this.line + lines, this.character + characters);
  }
}

export class Range {
  constructor(
    readonly start: Position,
    readonly end: Position,
  ) {}
  get isEmpty(): boolean {
    return this.start.isEqual(this.end);
  }
}

export class Selection extends Range {
  get active(): Position {
    return this.end;
  }
}

export class Uri {
  constructor(
    readonly scheme: string,
    readonly path: string,
  ) {}
  static joinPath(base: Uri, ...parts: string[]): Uri {
    return new Uri(base.scheme, [base.path, ...parts].join('/'));
  }
  get fsPath(): string {
    return this.path;
  }
  toString(): string {
    return `${this.scheme}:${this.path}`;
  }
}

export class EventEmitter<T> {
  readonly #listeners = new Set<(value: T) => void>();
  readonly event = (listener: (value: T) => void) => {
    this.#listeners.add(listener);
    return { dispose: () => this.#listeners.delete(listener) };
  };
  fire(value: T): void {
    for (const listener of [...this.#listeners]) listener(value);
  }
  dispose(): void {
    this.#listeners.clear();
  }
}

export class CancellationTokenSource {
  readonly #cancelled = new EventEmitter<void>();
  readonly token = {
    isCancellationRequested: false,
    onCancellationRequested: this.#cancelled.event,
  };
  cancel(): void {
    this.token.isCancellationRequested = true;
    this.#cancelled.fire();
  }
  dispose(): void {
    this.#cancelled.dispose();
  }
}

export class Disposable {
  constructor(readonly dispose: () => void) {}
  static from(...all: { dispose(): unknown }[]): Disposable {
    return new Disposable(() => {
      for (const each of all) each.dispose();
    });
  }
}

export class WorkspaceEdit {
  range: Range | undefined;
  text = '';
  replace(_: Uri, range: Range, text: string): void {
    Object.assign(this, { range, text });
  }
}

export class InlineCompletionItem {
  constructor(
    readonly insertText: string,
    readonly range: Range,
  ) {}
}

export const EndOfLine = { LF: 1, CRLF: 2 };
export const ConfigurationTarget = { Global: 1, Workspace: 2 };
export const FilePermission = { Readonly: 1 };
export const InlineCompletionTriggerKind = { Invoke: 0, Automatic: 1 };
export const ProgressLocation = { Notification: 15 };
export const TextDocumentChangeReason = { Undo: 1, Redo: 2 };

interface Change {
  readonly rangeOffset: number;
  readonly rangeLength: number;
  readonly text: string;
}

const events = {
  changed: new EventEmitter<unknown>(),
  closed: new EventEmitter<unknown>(),
  configured: new EventEmitter<unknown>(),
  editors: new EventEmitter<unknown>(),
  saved: new EventEmitter<unknown>(),
};

interface Values {
  readonly global?: unknown;
  readonly workspace?: unknown;
  /** For the document's language. */
  readonly language?: unknown;
}

/** What the test says and sees. */
interface Script {
  /** What undo and redo were run on, where the focus is not in the document. */
  elsewhere: string[] | undefined;
  /** What the user does while an edit or a command is on its way. */
  meanwhile: () => void;
  /** What the user answers to an input box. */
  answer: () => string | undefined;
  /** What the user picks from a list. */
  pick: (items: readonly unknown[]) => unknown;
  /** What a command of VS Code's own does. */
  run: (id: string) => unknown;
  /** Whether a file system takes edits; undefined where VS Code does not know it. */
  writable: (scheme: string) => boolean | undefined;
  /** @throws where there is no such file */
  stat: (uri: Uri) => { permissions?: number };
  /** Values by setting, as each target has them. */
  settings: Record<string, Values>;
  notebooks: { uri: Uri; getCells(): { document: unknown }[] }[];
  /** Values of context keys. */
  contexts: Record<string, unknown>;
  /** What the user was told. */
  told: string[];
  /** Commands that were run. */
  executed: string[];
}

/** As it is when a document is opened. */
const fresh = (): Script => ({
  elsewhere: undefined,
  meanwhile: () => undefined,
  answer: () => undefined,
  pick: () => undefined,
  run: () => undefined,
  writable: (scheme) => (scheme === 'file' ? true : undefined),
  stat: () => ({}),
  settings: {},
  notebooks: [],
  contexts: {},
  told: [],
  executed: [],
});

export const script = fresh();

let content = '';
/** Texts that undo and redo lead to; whether the next edit belongs to the last undo. */
let undos: string[] = [];
let redos: string[] = [];
let joins = false;

export const document = {
  uri: new Uri('file', '/a.py'),
  languageId: 'python',
  fileName: '/a.py',
  version: 1,
  eol: EndOfLine.LF,
  isClosed: false,
  isReadOnly: false,
  get lineCount(): number {
    return content.split('\n').length;
  },
  getText: (range?: Range): string =>
    range ? content.slice(document.offsetAt(range.start), document.offsetAt(range.end)) : content,
  lineAt(at: Position | number) {
    const line = typeof at === 'number' ? at : at.line;
    const text = (content.split('\n')[line] ?? '').replace(/\r$/, '');
    return { text, range: new Range(new Position(line, 0), new Position(line, text.length)) };
  },
  offsetAt({ line, character }: Position): number {
    const lines = content.split('\n');
    if (line >= lines.length) return content.length;
    const start = lines.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0);
    return start + Math.min(character, document.lineAt(line).text.length);
  },
  positionAt(offset: number): Position {
    const before = content.slice(0, Math.max(0, offset)).split('\n');
    const line = before.length - 1;
    const { length } = document.lineAt(line).text;
    return new Position(line, Math.min(before[line]?.length ?? 0, length));
  },
};

interface Opened {
  readonly language?: string;
  readonly eol?: '\n' | '\r\n';
  readonly uri?: Uri;
}

/** Opens a text, and forgets all that was; `|` is the cursor, at the end where there is none. */
export function open(
  text: string,
  { language = 'python', eol = '\n', uri = new Uri('file', '/a.py') }: Opened = {},
): void {
  const [before = '', after = ''] = text.split('|').map((part) => part.replaceAll('\n', eol));
  content = before + after;
  undos = [];
  redos = [];
  joins = false;
  const opened = { uri, languageId: language, version: 1, isReadOnly: false, isClosed: false };
  Object.assign(document, opened, { eol: eol === '\n' ? EndOfLine.LF : EndOfLine.CRLF });
  Object.assign(script, fresh());
  show(true);
  select(before.length);
}

/** Moves the cursor, or selects what lies between two offsets. */
export function select(from: number, to = from): void {
  editor.selection = new Selection(document.positionAt(from), document.positionAt(to));
  editor.selections = [editor.selection];
}

/** The user's own edit. */
export function insert(offset: number, text: string): void {
  remember(true);
  change({ rangeOffset: offset, rangeLength: 0, text });
  joins = false;
}

/** The user, or VS Code by itself, saves: the next edit is an undo of its own. */
export function save(): void {
  joins = false;
  events.saved.fire(document);
}

function remember(stop: boolean): void {
  redos = [];
  if (stop || !joins) undos.push(content);
  joins = true;
}

function change(made: Change, reason?: number): void {
  const { rangeOffset, rangeLength, text } = made;
  const cursor = document.offsetAt(editor.selection.active);
  content = content.slice(0, rangeOffset) + text + content.slice(rangeOffset + rangeLength);
  document.version += 1;
  if (rangeOffset <= cursor) {
    select(rangeOffset + text.length + Math.max(0, cursor - rangeOffset - rangeLength));
  }
  const contentChanges = [made];
  events.changed.fire({ document, contentChanges, ...(reason !== undefined && { reason }) });
}

/** Goes to another text by the least change. */
function changeTo(next: string, reason: number): void {
  const most = Math.min(content.length, next.length);
  let start = 0;
  while (start < most && content[start] === next[start]) start += 1;
  let end = 0;
  while (end < most - start && content.at(-1 - end) === next.at(-1 - end)) end += 1;
  const rangeLength = content.length - end - start;
  change({ rangeOffset: start, rangeLength, text: next.slice(start, next.length - end) }, reason);
}

/** Takes a text from one pile to the other. */
function travel(id: 'undo' | 'redo'): void {
  if (script.elsewhere) {
    script.elsewhere.push(id);
    return;
  }
  const [from, to] = id === 'undo' ? [undos, redos] : [redos, undos];
  const next = from.pop();
  if (next === undefined) return;
  to.push(content);
  joins = false;
  changeTo(next, TextDocumentChangeReason[id === 'undo' ? 'Undo' : 'Redo']);
}

interface Builder {
  replace(range: Range, text: string): void;
  delete(range: Range): void;
  insert(at: Position, text: string): void;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

const editor = {
  document,
  selection: new Selection(new Position(0, 0), new Position(0, 0)),
  selections: [] as Selection[],
  revealRange: () => undefined,
  async edit(
    write: (builder: Builder) => void,
    stops = { undoStopBefore: true, undoStopAfter: true },
  ): Promise<boolean> {
    const { version } = document;
    const made: Change[] = [];
    const replace = ({ start, end }: Range, text: string) => {
      const rangeOffset = document.offsetAt(start);
      made.push({ rangeOffset, rangeLength: document.offsetAt(end) - rangeOffset, text });
    };
    write({
      replace,
      delete: (range: Range) => replace(range, ''),
      insert: (at: Position, text: string) => replace(new Range(at, at), text),
    });
    await turn();
    script.meanwhile();
    if (document.isReadOnly || document.version !== version) return false;
    remember(stops.undoStopBefore);
    // At one place, as the extension makes them.
    const rangeLength = Math.max(...made.map((each) => each.rangeLength));
    const text = made.map((each) => each.text).join('');
    change({ rangeOffset: made[0]?.rangeOffset ?? 0, rangeLength, text });
    if (stops.undoStopAfter) joins = false;
    return true;
  },
};

const ignored = () => ({ dispose: () => undefined });
const registered = new Map<string, (...args: unknown[]) => unknown>();

/** Runs a command that the extension registered. */
export async function runCommand(id: string, ...args: unknown[]): Promise<unknown> {
  const run = registered.get(id);
  if (!run) throw new Error(`No command ${id} is registered.`);
  return await run(...args);
}

export const commands = {
  registerCommand(id: string, run: (...args: unknown[]) => unknown) {
    registered.set(id, run);
    return { dispose: () => registered.delete(id) };
  },
  async executeCommand(id: string, ...args: unknown[]): Promise<unknown> {
    if (id === 'setContext') {
      script.contexts[String(args[0])] = args[1];
      return undefined;
    }
    script.executed.push(id);
    await turn();
    if (id === 'undo' || id === 'redo') travel(id);
    script.meanwhile();
    return await script.run(id);
  },
};

/** Nobody clicks a message away. */
function tell(message: string): Promise<undefined> {
  script.told.push(message);
  return new Promise(() => undefined);
}

export const window = {
  activeTextEditor: editor as typeof editor | undefined,
  visibleTextEditors: [editor],
  onDidChangeActiveTextEditor: ignored,
  onDidChangeTextEditorSelection: ignored,
  onDidChangeVisibleTextEditors: events.editors.event,
  showInputBox: async () => {
    await turn();
    return script.answer();
  },
  showInformationMessage: tell,
  showErrorMessage: tell,
  showQuickPick: (items: readonly unknown[]) => Promise.resolve(script.pick(items)),
  withProgress: async (
    _: unknown,
    work: (progress: unknown, token: unknown) => Promise<unknown>,
  ) => {
    const { token } = new CancellationTokenSource();
    return await work({ report: () => undefined }, token);
  },
};

/** Shows the document, or closes its editor. */
export function show(visible: boolean): void {
  window.visibleTextEditors = visible ? [editor] : [];
  window.activeTextEditor = visible ? editor : undefined;
  events.editors.fire(window.visibleTextEditors);
}

/** Changes a setting, as the user does. */
export function configure(key: string, value: unknown): void {
  script.settings[key] = { global: value };
  events.configured.fire({ affectsConfiguration: (section: string) => key.startsWith(section) });
}

export const workspace = {
  textDocuments: [document],
  get notebookDocuments() {
    return script.notebooks;
  },
  async applyEdit({ range, text }: WorkspaceEdit): Promise<boolean> {
    return range !== undefined && (await editor.edit((edit) => edit.replace(range, text)));
  },
  onDidSaveTextDocument: events.saved.event,
  onDidCloseTextDocument: events.closed.event,
  onDidChangeTextDocument: events.changed.event,
  onDidChangeConfiguration: events.configured.event,
  getConfiguration: (section: string, scope?: unknown) => {
    const valueOf = (key: string) => script.settings[`${section}.${key}`] ?? {};
    return {
      get: (key: string, otherwise?: unknown) => {
        const { global, workspace: ours, language } = valueOf(key);
        return (scope ? language : undefined) ?? ours ?? global ?? otherwise;
      },
      inspect: (key: string) => {
        const { global, workspace: ours } = valueOf(key);
        return { globalValue: global, workspaceValue: ours };
      },
      update: (key: string, value: unknown, target: number) => {
        const name = target === ConfigurationTarget.Global ? 'global' : 'workspace';
        script.settings[`${section}.${key}`] = { ...valueOf(key), [name]: value };
        return Promise.resolve();
      },
    };
  },
  fs: {
    isWritableFileSystem: (scheme: string) => script.writable(scheme),
    stat: async (uri: Uri) => {
      await turn();
      return script.stat(uri);
    },
  },
};
