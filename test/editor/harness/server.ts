/** One VS Code server with a profile and a workspace of its own. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerOptions {
  readonly vscode: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Added to the user's settings. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Calm: nothing that opens by itself, and what is typed is soon on the disk. */
const SETTINGS = {
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.commandCenter.enabled': false,
  'extensions.ignoreRecommendations': true,
  'extensions.autoCheckUpdates': false,
  'security.workspace.trust.startupPrompt': 'never',
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'files.autoSave': 'afterDelay',
  'files.autoSaveDelay': 50,
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.suggestOnTriggerCharacters': false,
  'editor.parameterHints.enabled': false,
  'editor.hover.enabled': false,
  'editor.minimap.enabled': false,
  // So that a busy machine shows the same text as a quick one.
  'dynamo.deadline': 10_000,
};

export class EditorServer {
  private constructor(
    readonly port: number,
    /** Holds profile, extensions and workspace; removed at the end. */
    readonly folder: string,
    private readonly child: ChildProcess,
  ) {}

  get pid(): number {
    return this.child.pid ?? -1;
  }

  get workspace(): string {
    return join(this.folder, 'workspace');
  }

  get extensions(): string {
    return join(this.folder, 'extensions');
  }

  static async start(options: ServerOptions): Promise<EditorServer> {
    const folder = mkdtempSync(join(tmpdir(), 'dynamo-editor-'));
    const data = join(folder, 'data');
    const write = (path: string, content: object) => {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, JSON.stringify(content));
    };
    write(join(data, 'data', 'User', 'settings.json'), { ...SETTINGS, ...options.settings });
    mkdirSync(join(folder, 'workspace'));
    const port = await freePort();
    const child = spawn(
      process.execPath,
      [
        join(options.vscode, 'out', 'server-main.js'),
        ...['--host', '127.0.0.1', '--port', String(port), '--without-connection-token'],
        ...['--accept-server-license-terms', '--telemetry-level', 'off'],
        ...['--server-data-dir', data, '--extensions-dir', join(folder, 'extensions')],
      ],
      { stdio: 'ignore', env: { ...process.env, ...options.env }, detached: true },
    );
    const server = new EditorServer(port, folder, child);
    await server.#untilUp();
    return server;
  }

  /** Installs a package, as a user does with "Install from VSIX". */
  install(vscode: string, vsix: string): void {
    execFileSync(process.execPath, [
      join(vscode, 'out', 'server-main.js'),
      ...['--server-data-dir', join(this.folder, 'data'), '--extensions-dir', this.extensions],
      ...['--install-extension', vsix, '--accept-server-license-terms'],
    ]);
  }

  /** Writes a file into the workspace. */
  write(name: string, text: string): string {
    const path = join(this.workspace, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  read(name: string): string {
    return readFileSync(join(this.workspace, name), 'utf8');
  }

  /** All that the extension logged, of all windows. */
  log(): string {
    return this.#logs(/DynaMo\.log$/);
  }

  /** What VS Code logged about extensions, errors of theirs included. */
  hostLog(): string {
    return this.#logs(/remoteexthost\.log$/);
  }

  async stop(): Promise<void> {
    const { pid } = this.child;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    if (pid !== undefined && this.child.exitCode === null) {
      process.kill(-pid, 'SIGKILL'); // Its own group: the extension hosts and engines go with it.
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #logs(name: RegExp): string {
    const root = join(this.folder, 'data', 'data', 'logs');
    if (!existsSync(root)) return '';
    return readdirSync(root, { recursive: true })
      .map(String)
      .filter((path) => name.test(path))
      .map((path) => readFileSync(join(root, path), 'utf8'))
      .join('');
  }

  async #untilUp(): Promise<void> {
    for (let attempt = 0; attempt < 300; attempt += 1) {
      try {
        if ((await fetch(`http://127.0.0.1:${this.port}/version`)).ok) return;
      } catch {
        // Not yet.
      }
      await sleep(200);
    }
    throw new Error('The VS Code server did not start within a minute.');
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
