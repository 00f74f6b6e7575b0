/** Installing and removing models from the editor: progress, cancellation, a file on disk. */
import { homedir } from 'node:os';
import * as vscode from 'vscode';
import type { CatalogEntry } from '../models/catalog';
import { messageOf } from '../models/errors';
import type { InstallProgress } from '../models/progress';
import { inNotification, show } from './progress';
import type { Session } from './session';
import { dataHome, machineSettings } from './settings';

const ALREADY = 'A model is being installed already.';

export class Installer implements vscode.Disposable {
  readonly #disposables: vscode.Disposable[];
  #abort: AbortController | undefined;

  constructor(private readonly session: Session) {
    const command = (id: string, run: (argument?: unknown) => unknown) =>
      vscode.commands.registerCommand(`dynamo.${id}`, run);
    this.#disposables = [
      command('installModel', (id) =>
        this.#choose('Install', typeof id === 'string' ? id : undefined),
      ),
      command('installModelFromFile', () => this.#fromFile()),
      command('cancelInstallation', () => this.#abort?.abort(new Error('Cancelled.'))),
      command('removeModel', () => this.#remove()),
      command('chooseModel', () => this.#chooseModel()),
    ];
  }

  dispose(): void {
    this.#abort?.abort(new Error('The editor is closing.'));
    for (const disposable of this.#disposables) disposable.dispose();
  }

  async #choose(verb: string, id?: string): Promise<void> {
    if (this.#abort) return show(ALREADY);
    const entry = await this.#pick(`${verb} a model`, id);
    if (entry) await this.#install(entry);
  }

  async #fromFile(): Promise<void> {
    if (this.#abort) return show(ALREADY);
    const entry = await this.#pick('Install a model from a file');
    if (!entry) return;
    const files = await vscode.window.showOpenDialog({
      title: `${entry.source.file} (in Ollama’s folder it is a file called sha256-${entry.source.sha256.slice(0, 12)}…)`,
      openLabel: 'Install',
      defaultUri: vscode.Uri.file(homedir()),
    });
    const [file] = files ?? [];
    if (file) await this.#install(entry, file.fsPath);
  }

  async #install(entry: CatalogEntry, from?: string): Promise<void> {
    if (this.#abort) return show(ALREADY); // Begun since it was asked which one.
    const abort = new AbortController();
    this.#abort = abort;
    const { session } = this;
    session.installing(entry.id);
    await vscode.commands.executeCommand('setContext', 'dynamo.installing', true);
    session.log.info(`Installing ${entry.id}.`);
    try {
      const [{ installPrecisions }, { installedDirectory }] = await Promise.all([
        import('../models/install'),
        import('../models/paths'),
      ]);
      const home = await dataHome();
      const { precisions } = await this.#installation(home);
      await inNotification(`installing ${entry.name}`, abort, async (tell) => {
        const onProgress = (report: InstallProgress): void => {
          session.installing(entry.id, report);
          tell(report);
        };
        const place = { suite: session.suite, home, id: entry.id };
        await installPrecisions({ ...place, from, signal: abort.signal, onProgress }, precisions);
      });
      const folders = precisions.map((each) => installedDirectory(home, entry.id, each));
      session.log.info(`Installed ${entry.id} in ${folders.join(' and ')}.`);
      await vscode.commands.executeCommand('setContext', 'dynamo.installed', true);
      session.installed();
      void show(`${entry.name} is installed. Type in any file to see suggestions.`);
    } catch (error) {
      if (abort.signal.aborted) {
        session.installed();
        void show('Installation cancelled. What was downloaded is kept for the next time.');
      } else {
        await this.#failed(entry, error);
      }
    } finally {
      this.#abort = undefined;
      await vscode.commands.executeCommand('setContext', 'dynamo.installing', false);
    }
  }

  async #failed(entry: CatalogEntry, error: unknown): Promise<void> {
    const message = messageOf(error);
    this.session.installationFailed(message);
    this.session.log.error(message);
    const again = 'Try Again';
    const file = 'Use a File';
    void vscode.window.showErrorMessage(`DynaMo: ${message}`, again, file).then((chosen) => {
      if (chosen === again) void this.#choose('Install', entry.id);
      if (chosen === file) void this.#fromFile();
    });
  }

  async #remove(): Promise<void> {
    const { listInstalled, removeInstalled } = await import('../models/installed');
    const home = await dataHome();
    const installed = await listInstalled({ suite: this.session.suite, home });
    if (installed.length === 0) return show('No model is installed.');
    const items = installed.map(({ id, precision, entry }) => ({
      label: entry.name,
      description: precision,
      id,
      precision,
    }));
    const chosen = await vscode.window.showQuickPick(items, {
      title: 'Remove a model from the disk',
    });
    if (!chosen) return;
    await this.session.restart();
    await removeInstalled({ home, id: chosen.id, precision: chosen.precision });
    void show(`${chosen.label} was removed.`);
  }

  async #chooseModel(): Promise<void> {
    const entry = await this.#pick('Complete with');
    if (!entry) return;
    const { findInstalled } = await import('../models/installed');
    const place = { suite: this.session.suite, home: await dataHome(), id: entry.id };
    const installed = await findInstalled({ ...place, precision: 'int8' });
    if (!installed && this.#abort) return show(ALREADY);
    await vscode.workspace
      .getConfiguration('dynamo')
      .update('model', entry.id, vscode.ConfigurationTarget.Global);
    if (!installed) await this.#install(entry);
  }

  async #pick(title: string, id?: string): Promise<CatalogEntry | undefined> {
    const [{ readCatalog, findModel }, { listInstalled }] = await Promise.all([
      import('../models/catalog'),
      import('../models/installed'),
    ]);
    const { suite } = this.session;
    const catalog = await readCatalog(suite);
    if (id !== undefined) return findModel(catalog, id);
    const home = await dataHome();
    const installed = await listInstalled({ suite, home });
    const { id: byDefault } = await this.#installation(home);
    const items = catalog.models.map((entry) => ({
      label: entry.name,
      description: `${Math.round(entry.source.bytes / 1e6).toLocaleString('en')} MB, ${entry.licence}`,
      detail:
        entry.purpose +
        (entry.id === byDefault ? ' (default)' : '') +
        (installed.some((model) => model.id === entry.id && model.precision === 'int8')
          ? ', installed'
          : ''),
      entry,
    }));
    items.sort((a, b) => Number(b.entry.id === byDefault) - Number(a.entry.id === byDefault));
    const chosen = await vscode.window.showQuickPick(items, { title: `DynaMo: ${title}` });
    return chosen?.entry;
  }

  /** Which model this machine is offered, and in which precisions models are installed on it. */
  async #installation(home: string) {
    const { installationFor } = await import('../engine/select-model');
    const { suite, worker } = this.session;
    return await installationFor({ suite, home, worker }, machineSettings());
  }
}
