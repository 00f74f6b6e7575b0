/**
 * The engine as the editor and the command line see it. The work happens in a child process, so that
 * nothing the engine does, not even a crash, harms the caller.
 *
 * Every request ends in a result or in one EngineError. A request that was running when the process
 * crashed is not repeated: what crashed it once may do so again, and the next key asks anew. Requests
 * made while the process is away wait for it. The model that was asked for last is loaded again
 * after a restart.
 *
 * A GPU is trusted less. Where it, its driver or the process that runs on it fails, the request is
 * begun again: once more on the GPU if the process just ended, and then, or at once if the driver
 * said that it failed, on the CPU, where the engine stays.
 */
import { headsNames } from '../models/catalog';
import type { HeadsSet, InstalledModel } from '../models/installed';
import { systemClock, type Clock } from './clock';
import { EngineError } from './errors';
import { startLimit, within } from './limit';
import type { Inspection } from './inspection';
import { EngineProcess, type Answer, type ProcessTiming } from './process';
import { CPU, nameOf } from './provider';
import {
  checkRequest,
  LIMITS,
  type CompletionRequest,
  type CompletionResult,
  type GenerationRequest,
  type GenerationResult,
  type InspectRequest,
  type LoadOptions,
  type MeasureRequest,
  type MeasureResult,
  type ModelFiles,
  type ModelInfo,
  type RequestBody,
  type StepSummary,
  type WorkState,
} from './protocol';
import type { RestartPolicy } from './restart-policy';
import { Retelling } from './retelling';
import { Supervisor, type SupervisorState } from './supervisor';

export interface EngineState {
  readonly process: SupervisorState;
  readonly work: WorkState;
}

export interface EngineOptions {
  /** Path of the bundled worker, dist/worker.js. */
  readonly worker: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Of the child process, as in os.constants.priority; the caller's own when absent. */
  readonly priority?: number;
  readonly onState?: (state: EngineState) => void;
  /** Told of a model each time that it was loaded: a process that starts again loads it anew. */
  readonly onLoad?: (info: ModelInfo) => void;
  /** What the child writes to standard error. */
  readonly onStderr?: (text: string) => void;
  /** Told when the engine leaves a GPU for the CPU: once, in a sentence for people. */
  readonly onFallback?: (note: string) => void;
  readonly policy?: RestartPolicy;
  readonly timing?: ProcessTiming;
  /** Time beyond a request's own deadline that its answer may take, ms. */
  readonly deadlineGraceMs?: number;
  readonly clock?: Clock;
}

/** What `load` asked for last. */
interface Wanted {
  readonly model: ModelFiles;
  readonly options: LoadOptions;
  /** What takes its place on the CPU when a GPU fails; undefined on the CPU. */
  readonly fallback: ModelFiles | undefined;
}

/** A model that a process has, or is about to have. */
interface Loading {
  readonly process: EngineProcess;
  readonly wanted: Wanted;
  readonly info: Promise<ModelInfo>;
}

/** Processes that may end on a GPU before the CPU takes over: one may have had another reason. */
const MOST_ENDS_ON_GPU = 2;

/** A step of prefill or decoding cannot be interrupted, so a result may come this much late. */
const DEADLINE_GRACE_MS = 2_000;

export class Engine {
  readonly #options: EngineOptions;
  readonly #clock: Clock;
  readonly #supervisor: Supervisor<EngineProcess>;
  #wanted: Wanted | undefined;
  #loading: Loading | undefined;
  #launched: EngineProcess | undefined;
  #work: WorkState = 'idle';
  /** Processes that ended while they ran the wanted model on a GPU. */
  #endedOnGpu = new Set<EngineProcess>();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#supervisor = new Supervisor<EngineProcess>({
      launch: () => this.#launch(),
      clock: this.#clock,
      onState: () => this.#tell('idle'),
      ...(options.policy && { policy: options.policy }),
    });
  }

  get state(): EngineState {
    return { process: this.#supervisor.state, work: this.#work };
  }

  /** Id of the child process, while there is one; for diagnostics. */
  get pid(): number | undefined {
    return this.#launched?.pid;
  }

  /**
   * Loads a model in place of the one before.
   *
   * @param fallback the model's files for the CPU, which takes over when a GPU fails
   * @throws {EngineError} `model` when it cannot be loaded
   */
  async load(
    model: ModelFiles,
    options: LoadOptions = {},
    fallback?: ModelFiles,
  ): Promise<ModelInfo> {
    checkRequest({ type: 'load', model, options });
    this.#want({ model, options, fallback: onGpu(options) ? fallback : undefined });
    for (;;) {
      const process = await this.#running();
      const wanted = this.#wanted;
      try {
        return await this.#load(process);
      } catch (error) {
        if (!this.#tryAgain(process, wanted, error)) throw error;
      }
    }
  }

  /**
   * Completes at a cursor; of a huge document only the text near it is sent. A newer completion
   * cancels the one before. With `stream`, `onStep` gets each piece as soon as it is certain.
   */
  async complete(
    request: CompletionRequest,
    signal?: AbortSignal,
    onStep?: (step: StepSummary) => void,
  ): Promise<CompletionResult> {
    const body = { type: 'complete', request: nearCursor(request) } as const;
    const answer = await this.#ask(body, request.deadlineMs, signal, onStep);
    return resultOf(answer, 'completion');
  }

  /** Continues a text; `onStep` gets each piece as soon as it is certain. */
  async generate(
    request: GenerationRequest,
    onStep?: (step: StepSummary) => void,
    signal?: AbortSignal,
  ): Promise<GenerationResult> {
    const body = { type: 'generate', request } as const;
    const answer = await this.#ask(body, request.deadlineMs, signal, onStep);
    return resultOf(answer, 'generation');
  }

  /** Measures what rows cost on this machine. */
  async measure(request: MeasureRequest, signal?: AbortSignal): Promise<MeasureResult> {
    const answer = await this.#ask({ type: 'measure', request }, undefined, signal);
    return resultOf(answer, 'measure');
  }

  /** Looks at what base and heads say at a place. */
  async inspect(request: InspectRequest, signal?: AbortSignal): Promise<Inspection> {
    const { place } = request;
    const near = place.kind === 'cursor' ? { ...request, place: nearCursor(place) } : request;
    const answer = await this.#ask({ type: 'inspect', request: near }, undefined, signal);
    return resultOf(answer, 'inspection');
  }

  /** Lets an engine that gave up try again; the next request starts it. */
  reset(): void {
    this.#supervisor.reset();
  }

  /** Ends the child process and every request. Resolves when it is gone. */
  dispose(): Promise<void> {
    this.#wanted = undefined;
    return this.#supervisor.dispose();
  }

  async #ask(
    body: RequestBody,
    deadlineMs: number | undefined,
    caller: AbortSignal | undefined,
    onStep?: (step: StepSummary) => void,
  ): Promise<Answer> {
    checkRequest(body);
    if (!this.#wanted) {
      throw new EngineError('notLoaded', 'No model is loaded; load one first.');
    }
    const started = this.#clock.now();
    const grace = this.#options.deadlineGraceMs ?? DEADLINE_GRACE_MS;
    const limit = startLimit(
      this.#clock,
      caller,
      deadlineMs === undefined ? undefined : deadlineMs + grace,
    );
    const telling = new Retelling(onStep);
    try {
      for (;;) {
        const process = await within(this.#running(), limit.signal);
        const wanted = this.#wanted;
        try {
          await within(this.#load(process), limit.signal);
          // The child's clock starts when it reads the request, so time spent waiting is taken off.
          const spent = this.#clock.now() - started;
          const answer = await process.request(
            withDeadline(body, spent),
            limit.signal,
            onStep && (({ step }) => telling.tell(step)),
          );
          telling.end();
          return answer;
        } catch (error) {
          if (telling.failed || !this.#tryAgain(process, wanted, error)) throw error;
          telling.begin();
        }
      }
    } finally {
      limit.release();
    }
  }

  /** A process that is ready, and not about to end. */
  async #running(): Promise<EngineProcess> {
    for (;;) {
      const process = await this.#supervisor.running();
      if (!process.ending) return process;
      await process.ended;
    }
  }

  #want(wanted: Wanted): void {
    this.#wanted = wanted;
    this.#endedOnGpu = new Set();
  }

  /**
   * Whether what failed is to be tried again: where a GPU is to blame, and the CPU can take over. Sees
   * to it that the next try is not on a GPU that has failed for good.
   */
  #tryAgain(process: EngineProcess, wanted: Wanted | undefined, error: unknown): boolean {
    if (!wanted?.fallback || !(error instanceof EngineError)) return false;
    const failed = error.code === 'device' || error.code === 'memory';
    if (!failed && error.code !== 'crashed') return false;
    // Others that the same process failed have seen to it already.
    if (this.#wanted !== wanted) return this.#wanted !== undefined;
    this.#endedOnGpu.add(process);
    if (!failed && this.#endedOnGpu.size < MOST_ENDS_ON_GPU) return true;
    const { model, options, fallback } = wanted;
    this.#want({ model: fallback, options: { ...options, provider: CPU }, fallback: undefined });
    this.#supervisor.reset(); // The GPU's crashes are not the CPU's.
    // A driver that failed may let the process hang when it is to let go of the GPU.
    process.abandon('The engine left its GPU.');
    const gpu = nameOf(options.provider ?? CPU);
    this.#options.onFallback?.(
      `${model.id} goes on on the CPU, as ${gpu} failed: ${error.message}`,
    );
    return true;
  }

  /** Loads the wanted model into `process`, once; where that failed, at the next request again. */
  #load(process: EngineProcess): Promise<ModelInfo> {
    const wanted = this.#wanted;
    if (!wanted) {
      return Promise.reject(new EngineError('stopped', 'The engine was shut down.'));
    }
    if (this.#loading?.process !== process || this.#loading.wanted !== wanted) {
      const { model, options } = wanted;
      const info = process.request({ type: 'load', model, options }).then(infoOf);
      const loading = { process, wanted, info };
      this.#loading = loading;
      info.then(
        (loaded) => this.#options.onLoad?.(loaded),
        () => {
          // Memory may be free the next time.
          if (this.#loading === loading) this.#loading = undefined;
        },
      );
    }
    return this.#loading.info;
  }

  #launch(): EngineProcess {
    const { worker, env, priority, timing, onStderr } = this.#options;
    const process = new EngineProcess({
      worker,
      clock: this.#clock,
      onState: (work) => this.#tell(work),
      ...(env && { env }),
      ...(priority !== undefined && { priority }),
      ...(timing && { timing }),
      ...(onStderr && { onStderr }),
    });
    this.#launched = process;
    void process.ended.then((error) => this.#tryAgain(process, this.#wanted, error));
    // After a restart the model is there again before anyone asks. Errors reach who asks next.
    process.ready.then(() => this.#load(process)).catch(() => undefined);
    return process;
  }

  #tell(work: WorkState): void {
    this.#work = work;
    this.#options.onState?.(this.state);
  }
}

/**
 * An installed model as the engine needs it.
 *
 * @param headsName of the heads to load, `none` for none; the catalogue's default when absent
 * @throws {EngineError} `model` when the model has no such heads
 */
export function modelFiles(installed: InstalledModel, headsName?: string): ModelFiles {
  const { id, precision, graph, weights, tokenizer, table, entry } = installed;
  const { contextLength, prompt } = entry;
  const heads = headsOf(installed, headsName);
  return {
    id,
    precision,
    graph,
    weights,
    tokenizer,
    contextLength,
    prompt,
    ...(heads && { heads: headsFiles(heads) }),
    ...(table && { table }),
  };
}

function headsOf({ id, heads, entry }: InstalledModel, name?: string): HeadsSet | undefined {
  const wanted = name ?? entry.heads?.default;
  if (wanted === undefined || wanted === 'none') return undefined;
  const found = heads.sets.find((set) => set.name === wanted);
  if (found || name === undefined) return found;
  const known = headsNames(entry);
  const advice = known.includes(name)
    ? `run "models install ${id}" to get them.`
    : `it has: ${[...known, 'none'].join(', ')}.`;
  throw new EngineError('model', `The heads "${name}" of ${id} are not installed; ${advice}`);
}

function headsFiles({ name, graph, description }: HeadsSet): NonNullable<ModelFiles['heads']> {
  const { kind, tokens, provisional } = description;
  return {
    name,
    graph,
    // Shared heads are a chain of one head.
    kind: kind === 'independent' ? 'independent' : 'chained',
    depth: tokens - 1,
    provisional,
  };
}

/** Drops what no prompt reaches: more than the protocol's limit away from the cursor. */
function nearCursor<T extends { readonly prefix: string; readonly suffix: string }>(request: T): T {
  const { prefix, suffix } = request;
  if (prefix.length <= LIMITS.text && suffix.length <= LIMITS.text) return request;
  return {
    ...request,
    prefix: prefix.slice(-LIMITS.text).replace(/^[\uDC00-\uDFFF]/, ''), // Not half a character.
    suffix: suffix.slice(0, LIMITS.text).replace(/[\uD800-\uDBFF]$/, ''),
  };
}

const onGpu = ({ provider = CPU }: LoadOptions): boolean => provider.name !== 'cpu';

function withDeadline(body: RequestBody, spent: number): RequestBody {
  if (body.type !== 'complete' && body.type !== 'generate') return body;
  const { deadlineMs } = body.request;
  if (deadlineMs === undefined) return body;
  const left = Math.max(1, deadlineMs - spent);
  return { ...body, request: { ...body.request, deadlineMs: left } } as RequestBody;
}

function infoOf(answer: Answer): ModelInfo {
  if (answer.type !== 'loaded') throw new EngineError('protocol', 'The engine did not load.');
  return answer.info;
}

type Result = CompletionResult | GenerationResult | MeasureResult | Inspection;

function resultOf<K extends Result['kind']>(answer: Answer, kind: K): Extract<Result, { kind: K }> {
  if (answer.type === 'result' && answer.result.kind === kind) {
    return answer.result as Extract<Result, { kind: K }>;
  }
  throw new EngineError('protocol', `The engine did not answer with a ${kind}.`);
}
