/**
 * Runs inside the extension host: asks for completions one after the other, in several documents that
 * grow and shrink, and writes down what memory is held after every so many of them.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as vscode from 'vscode';
import type { CompletionProvider } from '../../src/editor/provider';
import type { Session } from '../../src/editor/session';

interface Parts {
  readonly session: Session;
  readonly provider: CompletionProvider;
}

/** Memory after so many completions, MB. */
export interface MemorySample {
  readonly completions: number;
  /** The extension host's heap after a collection. */
  readonly heap: number;
  /** Resident memory of the extension host and of the engine. */
  readonly host: number;
  readonly engine: number;
}

const EVERY = 25;
/** Each document goes back to its first text after so many completions. */
const LINES = 12;

export async function run(): Promise<void> {
  const folder = process.env['DYNAMO_BENCH_FOLDER'] ?? '';
  const most = Number(process.env['DYNAMO_BENCH_COMPLETIONS'] ?? 500);
  const extension = vscode.extensions.getExtension<Parts>('dynamo-completion.dynamo-completion');
  if (!extension) throw new Error('The extension is not there.');
  const { session, provider } = await extension.activate();
  setFlagsFromString('--expose_gc');
  const collect = runInNewContext('gc') as () => void;
  const samples: MemorySample[] = [];
  let asked = 0;
  session.onDidComplete(() => (asked += 1));
  const [workspace] = vscode.workspace.workspaceFolders ?? [];
  if (!workspace) throw new Error('There is no workspace.');
  const files = readdirSync(workspace.uri.fsPath)
    .filter((name) => name.startsWith('visit'))
    .map((name) => vscode.Uri.joinPath(workspace.uri, name));
  for (let round = 0; asked < most; round += 1) {
    const file = files[round % files.length];
    if (!file) throw new Error('There is nothing to complete in.');
    const document = await vscode.workspace.openTextDocument(file);
    const editor = await vscode.window.showTextDocument(document);
    const first = document.getText();
    for (let line = 0; line < LINES && asked < most; line += 1) {
      const before = asked;
      await complete(editor, provider, `x${round}_${line} = `);
      if (Math.floor(asked / EVERY) > Math.floor(before / EVERY)) {
        collect();
        const { heapUsed, rss } = process.memoryUsage();
        const engine = residentBytes(session.enginePid);
        const [heap = 0, host = 0, engineMb = 0] = [heapUsed, rss, engine].map(megabytes);
        samples.push({ completions: asked, heap, host, engine: engineMb });
        writeFileSync(join(folder, 'memory.json'), JSON.stringify(samples));
      }
    }
    const all = new vscode.Range(document.positionAt(0), document.positionAt(Infinity));
    await editor.edit((edit) => edit.replace(all, first));
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  }
  writeFileSync(join(folder, 'figures.json'), JSON.stringify(samples));
}

/** A new line at the document's middle, and what is suggested at its end. */
async function complete(
  editor: vscode.TextEditor,
  provider: CompletionProvider,
  text: string,
): Promise<void> {
  const { document } = editor;
  const line = document.lineAt(document.lineCount >> 1);
  await editor.edit((edit) => edit.insert(line.range.end, `\n${text}`));
  const position = document.lineAt(line.lineNumber + 1).range.end;
  editor.selection = new vscode.Selection(position, position);
  const source = new vscode.CancellationTokenSource();
  await provider.provideInlineCompletionItems(
    document,
    position,
    {
      triggerKind: vscode.InlineCompletionTriggerKind.Automatic,
      selectedCompletionInfo: undefined,
    },
    source.token,
  );
  source.dispose();
}

/** Resident memory of a process, as Linux tells it; 0 elsewhere. */
function residentBytes(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid ?? 0}/status`, 'utf8');
    return 1024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

const megabytes = (bytes: number): number => Math.round(bytes / 1e5) / 10;
