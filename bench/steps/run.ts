/**
 * Decodes tasks in several modes, all modes of a task in a row, so that a machine whose speed drifts
 * treats them alike; their order turns from task to task. Before the first of them trunk and heads read
 * the prompt, which is not timed: what the first mode read would be free for those behind it. The
 * engine is to keep one state alone (`cacheMegabytes: 0`), which is the task's.
 */
import type { Engine } from '../../src/engine/client';
import type { CompletionResult, GenerationResult } from '../../src/engine/protocol';
import { decodingFor, type ModeSpec } from './modes';
import { toldOf } from './places';
import type { Outcome, ResultRow } from './results';
import type { StepTask } from './tasks';

/** Decoded to read a prompt: heads are asked at the second token. */
const READ_TOKENS = 4;

/** The engine's memory for other states than the latest one, MB: see above. */
export const CACHE_MEGABYTES = 0;

export interface TaskRun {
  readonly modes: readonly ModeSpec[];
  /** Whether a task is decoded in a mode; all are when absent. */
  readonly wants?: ((task: StepTask, mode: ModeSpec) => boolean) | undefined;
  readonly maxTokens: number;
  /** When no more tasks are begun, on performance.now's clock. */
  readonly until?: number | undefined;
  readonly write: (task: StepTask, row: ResultRow) => Promise<void>;
}

type Decoder = Pick<Engine, 'complete' | 'generate'>;
type Decoding = ReturnType<typeof decodingFor> & { readonly maxTokens: number };

export async function runTasks(
  engine: Decoder,
  tasks: readonly StepTask[],
  { modes, wants = () => true, maxTokens, until = Infinity, write }: TaskRun,
): Promise<void> {
  for (const [turn, task] of tasks.entries()) {
    if (performance.now() > until) return;
    const wanted = modes.filter((spec) => wants(task, spec));
    await readPrompt(engine, task, wanted);
    const made: Record<string, Outcome> = {};
    for (let i = 0; i < wanted.length; i++) {
      const spec = wanted[(i + turn) % wanted.length] ?? '';
      const decoding = { ...decodingFor(spec), maxTokens };
      made[spec] = outcomeOf(await request(engine, task, decoding), spec);
    }
    const ordered = Object.fromEntries(modes.flatMap((spec) => entryOf(made, spec)));
    await write(task, { id: task.id, kind: task.kind, ...toldOf(task), modes: ordered });
  }
}

/**
 * By trunk and heads, in each kind of mode: exact and fast mode keep different rows of the heads. So no
 * mode has a process's first, slow request either.
 */
async function readPrompt(
  engine: Decoder,
  task: StepTask,
  modes: readonly ModeSpec[],
): Promise<void> {
  for (const mode of new Set(modes.map((spec) => decodingFor(spec).mode))) {
    const decoding = mode === 'fast' ? { mode, epsilon: 0 } : { mode };
    await request(engine, task, { ...decoding, maxTokens: READ_TOKENS } as Decoding);
  }
}

const entryOf = (made: Record<string, Outcome>, spec: ModeSpec) => {
  const outcome = made[spec];
  return outcome ? [[spec, outcome] as const] : [];
};

function request(
  engine: Decoder,
  task: StepTask,
  decoding: Decoding,
): Promise<CompletionResult | GenerationResult> {
  if (task.prompt !== undefined) {
    const { prompt, chat, draw } = task;
    return engine.generate({ prompt, chat, ...decoding, ...draw });
  }
  const { prefix, suffix, language, multiline } = task;
  return engine.complete({ prefix, suffix, language, multiline, raw: true, ...decoding });
}

function outcomeOf(result: CompletionResult | GenerationResult, spec: ModeSpec): Outcome {
  const { mode } = decodingFor(spec);
  if (result.mode !== mode) {
    throw new Error(`${spec} ran as ${result.mode}: the model has no heads for it. Use --heads.`);
  }
  const { text, tokens, stopReason, steps, prefillMs, decodeMs } = result;
  const round = (ms: number) => Math.round(ms * 100) / 100;
  return {
    text,
    tokens,
    stopReason,
    steps: steps.map(({ n }) => n),
    drafts: steps.flatMap(({ draft }) => draft ?? []),
    prefillMs: round(prefillMs),
    decodeMs: round(decodeMs),
  };
}
