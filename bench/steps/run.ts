/**
 * Decodes tasks in several modes, interleaved: a block of tasks in one mode, the same block in the
 * next, so that a machine whose speed drifts treats the modes alike. No task follows itself, because
 * its prompt's rows would still be in the cache; the order of the modes turns from block to block.
 */
import type { Engine } from '../../src/engine/client';
import type { CompletionResult, GenerationResult } from '../../src/engine/protocol';
import { decodingFor, type ModeSpec } from './modes';
import type { Outcome, ResultRow } from './results';
import type { StepTask } from './tasks';

const BLOCK = 4;

export interface TaskRun {
  readonly modes: readonly ModeSpec[];
  /** Whether a task is decoded in a mode; all are when absent. */
  readonly wants?: ((task: StepTask, mode: ModeSpec) => boolean) | undefined;
  readonly maxTokens: number;
  /** When no more blocks are begun, on performance.now's clock. */
  readonly until?: number | undefined;
  readonly write: (task: StepTask, row: ResultRow) => Promise<void>;
}

export async function runTasks(
  engine: Pick<Engine, 'complete' | 'generate'>,
  tasks: readonly StepTask[],
  { modes, wants = () => true, maxTokens, until, write }: TaskRun,
): Promise<void> {
  for (let start = 0, turn = 0; start < tasks.length; start += BLOCK, turn++) {
    if (until !== undefined && performance.now() > until) return;
    const block = tasks.slice(start, start + BLOCK);
    const outcomes = block.map((): Record<string, Outcome> => ({}));
    for (let i = 0; i < modes.length; i++) {
      const spec = modes[(i + turn) % modes.length] ?? '';
      for (const [index, task] of block.entries()) {
        const made = outcomes[index];
        if (made && wants(task, spec))
          made[spec] = outcomeOf(await decode(engine, task, spec, maxTokens), spec);
      }
    }
    for (const [index, task] of block.entries()) {
      const made = outcomes[index] ?? {};
      const ordered = Object.fromEntries(modes.flatMap((spec) => entryOf(made, spec)));
      await write(task, { id: task.id, kind: task.kind, modes: ordered });
    }
  }
}

const entryOf = (made: Record<string, Outcome>, spec: ModeSpec) => {
  const outcome = made[spec];
  return outcome ? [[spec, outcome] as const] : [];
};

function decode(
  engine: Pick<Engine, 'complete' | 'generate'>,
  task: StepTask,
  spec: ModeSpec,
  maxTokens: number,
): Promise<CompletionResult | GenerationResult> {
  const decoding = { ...decodingFor(spec), maxTokens };
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
