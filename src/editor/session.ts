/**
 * What all parts of the editor share: the engine, the model that it runs, what state both are in,
 * and the last completion. The engine starts with the first request and ends when it has not been
 * asked for a while. Knows nothing of documents, widgets or commands.
 */
import { constants } from 'node:os';
import { join } from 'node:path';
import * as vscode from 'vscode';
import type { ProviderChoice } from '../engine/choose-provider';
import type { Engine, EngineState } from '../engine/client';
import type {
  CompletionRequest,
  CompletionResult,
  GenerationRequest,
  GenerationResult,
  ModelInfo,
  StepSummary,
} from '../engine/protocol';
import type { ModelWish } from '../engine/select-model';
import { messageOf } from '../models/errors';
import type { InstallProgress } from '../models/progress';
import { Preparation } from './preparation';
import { completionSettings, dataHome, machineSettings, touchesMachine } from './settings';

export type SessionState =
  /** The engine does not run; the next request starts it. */
  | { readonly kind: 'idle' }
  /** The model is not installed. */
  | { readonly kind: 'missing'; readonly model: string }
  | { readonly kind: 'installing'; readonly model: string; readonly progress?: InstallProgress }
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly busy: boolean }
  /** It crashed and is about to start again. */
  | { readonly kind: 'restarting'; readonly message: string }
  /** Nothing more happens until the user asks for it; `retry` does. */
  | { readonly kind: 'failed'; readonly message: string };

/** A completion with what was asked, for the status item and the threshold view. */
export interface CompletionRecord {
  readonly request: CompletionRequest;
  readonly result: CompletionResult;
  readonly document: vscode.Uri;
  readonly position: vscode.Position;
  /** From the request to the first line of its result, ms. */
  readonly latencyMs: number;
}

/** Why no engine can be asked; the state says the same to the user. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

/** Without a request for so long, the engine gives its memory back. */
const IDLE_MS = 20 * 60_000;
/** Errors kept for the diagnostics. */
const MOST_ERRORS = 10;
/** How long a failure stands before a request that is not the user's own looks again. */
const LOOK_AGAIN_MS = 15_000;

interface Running {
  readonly key: string;
  readonly engine: Engine;
  readonly loaded: Promise<ModelInfo>;
}

export class Session implements vscode.Disposable {
  /** Folder of the suite: catalogue, graphs, heads. */
  readonly suite: string;
  /** The engine's bundle. */
  readonly worker: string;
  readonly #state = new vscode.EventEmitter<SessionState>();
  readonly #completed = new vscode.EventEmitter<CompletionRecord>();
  readonly #preparation: Preparation;
  readonly #disposables: vscode.Disposable[];
  readonly onDidChangeState = this.#state.event;
  readonly onDidComplete = this.#completed.event;
  /** The engine's state. */
  #current: SessionState = { kind: 'idle' };
  /** What is shown instead while a model is being installed. */
  #installation: SessionState | undefined;
  #running: Running | undefined;
  #starting: Promise<Running | undefined> | undefined;
  /** Raised when what is being started is no longer wanted. */
  #epoch = 0;
  #failedAt: number | undefined;
  #model: ModelInfo | undefined;
  #provider: Pick<ProviderChoice, 'provider' | 'why'> | undefined;
  #last: CompletionRecord | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #requests = 0;
  #generations = 0;
  readonly #errors: { readonly at: string; readonly message: string }[] = [];
  #disposed = false;

  constructor(
    extensionPath: string,
    readonly log: vscode.LogOutputChannel,
  ) {
    this.suite = join(extensionPath, 'models');
    this.worker = join(extensionPath, 'dist', 'worker.js');
    this.#preparation = new Preparation(this.worker, log);
    this.#disposables = [
      this.#state,
      this.#preparation,
      this.#completed,
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (touchesMachine(event)) void this.restart();
      }),
    ];
  }

  get state(): SessionState {
    return this.#installation ?? this.#current;
  }

  /** The loaded model; undefined while none is. */
  get model(): ModelInfo | undefined {
    return this.#model;
  }

  /** What runs the model, and why; undefined while nothing does. */
  get provider(): Pick<ProviderChoice, 'provider' | 'why'> | undefined {
    return this.#provider;
  }

  get lastCompletion(): CompletionRecord | undefined {
    return this.#last;
  }

  /** Completions asked of the engine so far. */
  get requests(): number {
    return this.#requests;
  }

  /** Whether a text is being generated; completions would have to wait for its end. */
  get generating(): boolean {
    return this.#generations > 0;
  }

  /** What went wrong lately, oldest first. */
  get errors(): readonly { readonly at: string; readonly message: string }[] {
    return this.#errors;
  }

  /** Process id of the engine, for tests and diagnostics. */
  get enginePid(): number | undefined {
    return this.#running?.engine.pid;
  }

  /** Whether completions tell how each step came about, for the threshold view. */
  tracing = false;

  readonly settings = completionSettings;

  async complete(
    request: CompletionRequest,
    signal?: AbortSignal,
    onStep?: (step: StepSummary) => void,
  ): Promise<CompletionResult> {
    const { engine } = await this.#ready(false);
    signal?.throwIfAborted();
    this.#requests += 1;
    this.#touch();
    return await this.#guard(engine.complete(request, signal, onStep));
  }

  async generate(
    request: GenerationRequest,
    onStep: (step: StepSummary) => void,
    signal: AbortSignal,
  ): Promise<GenerationResult> {
    const { engine } = await this.#ready(true);
    signal.throwIfAborted();
    this.#touch();
    this.#generations += 1;
    try {
      return await this.#guard(engine.generate(request, onStep, signal));
    } finally {
      this.#generations -= 1;
    }
  }

  /** The engine with its model loaded, for what the methods above do not offer. */
  async engine(): Promise<Engine> {
    this.#touch();
    return (await this.#ready(true)).engine;
  }

  /** Tells what an accepted place in a document was given. */
  record(record: CompletionRecord): void {
    this.#last = record;
    this.#completed.fire(record);
  }

  /** Makes the next request try again after a failure, or after a model was installed. */
  retry(): void {
    this.#failedAt = undefined;
    this.#running?.engine.reset();
    if (['failed', 'missing'].includes(this.#current.kind)) {
      this.#enter({ kind: 'idle' });
    }
  }

  /** Ends the engine; the next request starts a new one. */
  async restart(): Promise<void> {
    const running = this.#running;
    this.#epoch += 1;
    this.#running = undefined;
    this.#starting = undefined;
    this.#model = undefined;
    this.#provider = undefined;
    clearTimeout(this.#idleTimer);
    this.#failedAt = undefined;
    this.#enter({ kind: 'idle' });
    await running?.engine.dispose();
  }

  /** While a model is being installed, its progress is the state; an engine that runs goes on. */
  installing(model: string, progress?: InstallProgress): void {
    const installation = { kind: 'installing', model, ...(progress && { progress }) } as const;
    this.#change(() => (this.#installation = installation));
  }

  /** The installation has ended, or was cancelled. */
  installed(): void {
    this.#change(() => {
      this.#installation = undefined;
      this.#current = { kind: 'idle' };
    });
    void this.restart().then(() => this.warm());
  }

  /** The installation has failed, which is the state where no engine goes on. */
  installationFailed(message: string): void {
    this.#change(() => (this.#installation = undefined));
    if (this.#running) this.#remember(message);
    else this.#fail(message);
  }

  /** Starts the engine before it is asked, so that the first completion comes sooner. */
  warm(): void {
    this.#ready(true).catch(() => undefined); // The state tells.
  }

  dispose(): void {
    this.#disposed = true;
    void this.restart();
    for (const disposable of this.#disposables) disposable.dispose();
  }

  async #ready(byUser: boolean): Promise<Running> {
    if (this.#disposed) throw new Unavailable('The extension was shut down.');
    if (this.#failedAt !== undefined) {
      if (!byUser && performance.now() - this.#failedAt < LOOK_AGAIN_MS) {
        throw new Unavailable('The engine is not available.');
      }
      this.retry();
    }
    if (this.#installation && !this.#running && !this.#starting) {
      throw new Unavailable('A model is being installed.');
    }
    const running = this.#running ?? (await (this.#starting ??= this.#start()));
    if (!running) return await this.#ready(byUser);
    // Where the process ended, the engine starts it again, and requests wait for that.
    const loaded = running.loaded.catch((error: unknown) => {
      if (codeOf(error) !== 'crashed') throw error;
    });
    await this.#guard(loaded, ['model', 'protocol', 'memory']);
    return running;
  }

  /** @returns undefined when it was no longer wanted before it was there */
  async #start(): Promise<Running | undefined> {
    const settings = machineSettings();
    const epoch = this.#epoch;
    try {
      this.#enter({ kind: 'loading' });
      const [{ Engine }, { selectDefault, selectModel }, home] = await Promise.all([
        import('../engine/client'),
        import('../engine/select-model'),
        dataHome(),
      ]);
      const { suite } = this;
      const { provider, device } = settings;
      const options = settings.threads === 0 ? {} : { threads: settings.threads };
      // Typing comes first: the editor's own processes need not wait for the engine's threads.
      const priority = constants.priority.PRIORITY_BELOW_NORMAL;
      const wish: Omit<ModelWish, 'id'> = {
        ...{ suite, home, provider, device, options },
        heads: settings.heads === '' ? undefined : settings.heads,
        process: { worker: this.worker, priority },
        onProbe: (adapter) => {
          const { name, device: index } = adapter.provider;
          this.log.info(`A GPU is tested (${name}, device ${index}); this happens once.`);
        },
        onOutdated: (note) => this.log.warn(note),
      };
      const { id, choice } =
        settings.model === ''
          ? await selectDefault(wish)
          : { id: settings.model, choice: await selectModel({ ...wish, id: settings.model }) };
      if (epoch !== this.#epoch) return undefined;
      if (choice === undefined) {
        this.#failedAt = performance.now();
        this.#enter({ kind: 'missing', model: id });
        throw new Unavailable(`${id} is not installed.`);
      }
      const engine = new Engine({
        worker: this.worker,
        priority,
        onFallback: (note) => {
          if (this.#running?.engine === engine) {
            this.#provider = { provider: { name: 'cpu', device: 0 }, why: note };
          }
          this.#tell(note);
          void choice.lost?.(note);
        },
        onState: (state) => this.#follow(engine, state),
        onLoad: (info) => this.#loaded(engine, choice, info),
        onStderr: (text) => this.log.warn(`engine: ${text.trimEnd()}`),
      });
      if (choice.note !== undefined) this.#tell(choice.note);
      this.#provider = choice;
      const load = { ...options, provider: choice.provider };
      const loaded = engine.load(choice.model, load, choice.fallback);
      loaded.catch(() => undefined); // Whoever waits for it is told.
      this.#running = { key: JSON.stringify(settings), engine, loaded };
      this.#touch();
      return this.#running;
    } catch (error) {
      if (epoch !== this.#epoch) return undefined;
      if (!(error instanceof Unavailable)) this.#report(error);
      throw error;
    } finally {
      if (epoch === this.#epoch) this.#starting = undefined;
    }
  }

  /** A model was loaded, for the first time or because the process had ended. */
  #loaded(engine: Engine, choice: ProviderChoice, info: ModelInfo): void {
    if (this.#running?.engine === engine) {
      this.#model = info;
      this.#enter({ kind: 'ready', busy: false });
      void vscode.commands.executeCommand('setContext', 'dynamo.installed', true);
    }
    const { id, precision, loadMs, contextLength } = info;
    const { provider, why } = this.#provider ?? choice; // The CPU may have taken over.
    this.log.info(
      `${id} (${precision}) loaded in ${Math.round(loadMs)} ms, ` +
        `context ${contextLength}; ${provider.name}: ${why}`,
    );
    const model = [choice.model, choice.fallback].find((files) => files?.precision === precision);
    if (model && info.prepared === false && precision === 'int8') this.#preparation.begin(model);
  }

  /** Passes a result on; turns what went wrong with the model itself into the state. */
  async #guard<T>(work: Promise<T>, fatal = ['model', 'protocol']): Promise<T> {
    try {
      return await work;
    } catch (error) {
      const code = codeOf(error);
      if (code !== undefined && fatal.includes(code)) {
        void this.restart();
        this.#report(error);
      }
      throw error;
    }
  }

  #report(error: unknown): void {
    const message = messageOf(error);
    this.log.error(message);
    this.#fail(message);
  }

  #fail(message: string): void {
    this.#failedAt = performance.now();
    this.#remember(message);
    this.#enter({ kind: 'failed', message });
  }

  /** A GPU that was hoped for is not used: said once, and no reason to stop working. */
  #tell(note: string): void {
    this.log.warn(note);
    this.#remember(note);
    void vscode.window.showInformationMessage(`DynaMo: ${note}`);
  }

  #remember(message: string): void {
    this.#errors.push({ at: new Date().toISOString(), message });
    if (this.#errors.length > MOST_ERRORS) this.#errors.shift();
  }

  #follow(engine: Engine, { process, work }: EngineState): void {
    if (this.#running?.engine !== engine) return;
    switch (process.phase) {
      case 'restarting':
        this.log.warn(`The engine ended: ${process.error.message} It starts again.`);
        this.#model = undefined;
        this.#remember(process.error.message);
        return this.#enter({ kind: 'restarting', message: process.error.message });
      case 'stopped':
        this.log.error(process.error.message);
        this.#model = undefined;
        return this.#fail(process.error.message);
      case 'ready':
        if (work === 'loading') return this.#enter({ kind: 'loading' });
        return this.#enter({ kind: 'ready', busy: work === 'busy' });
      default:
        return;
    }
  }

  #touch(): void {
    clearTimeout(this.#idleTimer);
    this.#idleTimer = setTimeout(() => {
      this.log.info('The engine was not used for a while and gives its memory back.');
      void this.restart();
    }, IDLE_MS);
    this.#idleTimer.unref();
  }

  #enter(state: SessionState): void {
    this.#change(() => (this.#current = state));
  }

  /** Tells the state when `by` has changed it. */
  #change(by: () => void): void {
    const before = JSON.stringify(this.state);
    by();
    if (!this.#disposed && JSON.stringify(this.state) !== before) this.#state.fire(this.state);
  }
}

/** Code of an EngineError, without loading the engine's module. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
