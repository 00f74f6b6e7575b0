/**
 * The child's side of the protocol: takes messages, runs one request at a time, answers each.
 *
 * Knows the order of requests, cancellation and deadlines. It must not know ONNX Runtime, tokens or
 * pipes, and it never logs what it is asked.
 */
import { EngineError } from './errors';
import { explain } from './explain';
import type { Inspection } from './inspection';
import type {
  CompletionRequest,
  CompletionResult,
  GenerationRequest,
  GenerationResult,
  InspectRequest,
  LoadOptions,
  MeasureRequest,
  MeasureResult,
  ModelFiles,
  ModelInfo,
  PreparedResult,
  ProbeResult,
  StepSummary,
  ToChild,
  ToParent,
  WorkState,
} from './protocol';
import { PROTOCOL_VERSION } from './protocol';

/** Told of each step while it happens. */
export type StepListener = (step: StepSummary) => void;

/** A model that is ready to be asked. A signal aborted with `DeadlineReached` ends with a result. */
export interface OpenModel {
  readonly info: ModelInfo;
  complete(
    request: CompletionRequest,
    signal: AbortSignal,
    onStep?: StepListener,
  ): Promise<CompletionResult>;
  generate(
    request: GenerationRequest,
    onStep: StepListener,
    signal: AbortSignal,
  ): Promise<GenerationResult>;
  measure(request: MeasureRequest, signal: AbortSignal): Promise<MeasureResult>;
  inspect(request: InspectRequest, signal: AbortSignal): Promise<Inspection>;
  probe(signal: AbortSignal): Promise<ProbeResult>;
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly send: (message: ToParent) => void;
  readonly openModel: (model: ModelFiles, options: LoadOptions) => Promise<OpenModel>;
  readonly prepareModel: (model: ModelFiles, options: LoadOptions) => Promise<PreparedResult>;
  /** Called when the parent asked for the end and the model is closed. */
  readonly onShutdown: () => void;
}

/** Abort reason of a request whose time is up. */
export class DeadlineReached extends EngineError {
  constructor() {
    super('deadline', 'The time for this request is up.');
  }
}

type JobMessage = Extract<
  ToChild,
  { type: 'load' | 'prepare' | 'complete' | 'generate' | 'measure' | 'inspect' | 'probe' }
>;

interface Job {
  readonly message: JobMessage;
  readonly abort: AbortController;
  readonly timer: NodeJS.Timeout | undefined;
}

export class Server {
  /** The first one is running, or is the next to run. */
  readonly #jobs: Job[] = [];
  readonly #options: ServerOptions;
  #model: OpenModel | undefined;
  #state: WorkState = 'idle';
  #ending = false;
  /** Whether `#work` runs; it may, for a moment, with no job left. */
  #working = false;

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  handle(message: ToChild): void {
    switch (message.type) {
      case 'hello':
        // The parent compares versions; it may have been updated while an old child file stayed.
        this.#options.send({ type: 'ready', version: PROTOCOL_VERSION });
        return;
      case 'ping':
        this.#options.send({ type: 'pong', id: message.id });
        return;
      case 'cancel':
        this.#jobs
          .find((job) => job.message.id === message.id)
          ?.abort.abort(new EngineError('cancelled', 'The request was cancelled.'));
        return;
      case 'shutdown':
        this.#shutdown();
        return;
      default:
        this.#enqueue(message);
    }
  }

  #enqueue(message: JobMessage): void {
    if (this.#ending) {
      this.#fail(message.id, new EngineError('stopped', 'The engine is shutting down.'));
      return;
    }
    if (message.type === 'complete' && message.request.background !== true) {
      this.#supersedeCompletions();
    }
    const abort = new AbortController();
    const deadlineMs =
      message.type === 'complete' || message.type === 'generate'
        ? message.request.deadlineMs
        : undefined;
    const timer =
      deadlineMs === undefined
        ? undefined
        : setTimeout(() => abort.abort(new DeadlineReached()), deadlineMs);
    this.#jobs.push({ message, abort, timer });
    if (!this.#working) void this.#work();
  }

  /** Someone typed on: what was asked before is of no use, running or waiting. */
  #supersedeCompletions(): void {
    for (const job of this.#jobs) {
      if (job.message.type !== 'complete') continue;
      job.abort.abort(new EngineError('cancelled', 'A newer completion took its place.'));
    }
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (;;) {
      const job = this.#jobs[0];
      if (!job) break;
      const { type } = job.message;
      this.#tell(type === 'load' || type === 'prepare' ? 'loading' : 'busy');
      try {
        await this.#run(job);
      } catch (error) {
        this.#fail(job.message.id, error);
      }
      clearTimeout(job.timer);
      this.#jobs.shift();
      // Reads what has arrived, so that a cancellation still finds a request that waits.
      await nextTurn();
    }
    this.#working = false;
    this.#tell('idle');
    if (this.#ending) await this.#close();
  }

  async #run({ message, abort: { signal } }: Job): Promise<void> {
    const { id } = message;
    if (signal.aborted && !(signal.reason instanceof DeadlineReached)) throw signal.reason;
    if (message.type === 'load') {
      await this.#closeModel();
      this.#model = await this.#options.openModel(message.model, message.options);
      this.#options.send({ type: 'loaded', id, info: this.#model.info });
      return;
    }
    if (message.type === 'prepare') {
      const result = await this.#options.prepareModel(message.model, message.options);
      this.#options.send({ type: 'result', id, result });
      return;
    }
    const model = this.#model;
    if (!model) throw new EngineError('notLoaded', 'No model is loaded; load one first.');
    const onStep: StepListener = (step) => this.#options.send({ type: 'step', id, step });
    const result = await ask(model, message, signal, onStep);
    this.#options.send({ type: 'result', id, result });
  }

  #fail(id: number, error: unknown): void {
    const { code, message } = explain(error);
    this.#options.send({ type: 'error', id, code, message: message.slice(0, 4000) });
  }

  #tell(state: WorkState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.send({ type: 'state', state });
  }

  #shutdown(): void {
    if (this.#ending) return;
    this.#ending = true;
    const reason = new EngineError('stopped', 'The engine is shutting down.');
    for (const job of this.#jobs) job.abort.abort(reason);
    if (!this.#working) void this.#close();
  }

  async #close(): Promise<void> {
    await this.#closeModel().catch(() => undefined); // The process ends anyway.
    this.#options.onShutdown();
  }

  async #closeModel(): Promise<void> {
    const model = this.#model;
    this.#model = undefined;
    await model?.close();
  }
}

function ask(
  model: OpenModel,
  message: Exclude<JobMessage, { type: 'load' | 'prepare' }>,
  signal: AbortSignal,
  onStep: StepListener,
) {
  switch (message.type) {
    case 'complete':
      return model.complete(message.request, signal, message.request.stream ? onStep : undefined);
    case 'generate':
      return model.generate(message.request, onStep, signal);
    case 'measure':
      return model.measure(message.request, signal);
    case 'inspect':
      return model.inspect(message.request, signal);
    case 'probe':
      return model.probe(signal);
  }
}

/** Lets the event loop read messages and run timers. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
