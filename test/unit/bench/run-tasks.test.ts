import assert from 'node:assert/strict';
import type { Engine } from '../../../src/engine/client';
import type { CompletionRequest, GenerationRequest } from '../../../src/engine/protocol';
import type { ResultRow } from '../../../bench/steps/results';
import { CACHE_MEGABYTES, runTasks, type TaskRun } from '../../../bench/steps/run';
import type { StepTask } from '../../../bench/steps/tasks';

const place = (id: string): StepTask => ({
  ...{ id, kind: 'own', prefix: id, suffix: '', language: 'python', multiline: true },
  expected: `what stands at ${id}`,
});

/** What was asked for, as `mode task`, and the rows that came of it. */
async function run(tasks: readonly StepTask[], more: Partial<TaskRun> = {}) {
  const asked: string[] = [];
  const rows: ResultRow[] = [];
  const answer = (request: CompletionRequest | GenerationRequest, text: string) => {
    asked.push(`${request.mode} ${text}`);
    return Promise.resolve({
      ...{ text, tokens: 1, steps: [{ n: 1 }], stopReason: 'end', mode: request.mode },
      ...{ prefillMs: asked.length, decodeMs: 1 },
    });
  };
  const engine = {
    complete: (request: CompletionRequest) => answer(request, request.prefix),
    generate: (request: GenerationRequest) => answer(request, request.prompt),
  } as unknown as Pick<Engine, 'complete' | 'generate'>;
  await runTasks(engine, tasks, {
    ...{ modes: ['ar', 'exact'], maxTokens: 8 },
    write: (_, row) => Promise.resolve(void rows.push(row)),
    ...more,
  });
  return { asked, rows };
}

describe('a run of tasks', () => {
  it('has an engine that keeps one state alone', () => assert.equal(CACHE_MEGABYTES, 0));

  it('decodes all modes of a task in a row, their order turning from task to task', async () => {
    const { asked, rows } = await run(['a', 'b'].map(place));
    const read = (name: string) => [`ar ${name}`, `exact ${name}`];
    assert.deepEqual(asked, [...read('a'), 'ar a', 'exact a', ...read('b'), 'exact b', 'ar b']);
    assert.deepEqual(
      rows.map(({ id, modes }) => [id, modes['ar']?.prefillMs, modes['exact']?.prefillMs]),
      [
        ['a', 3, 4],
        ['b', 8, 7],
      ],
    );
  });

  it('reads a prompt first, once in each kind of mode', async () => {
    const modes = ['ar', 'exact', 'exact,rows=2', 'fast:0.5', 'fast:1'];
    const { asked, rows } = await run(['a', 'b'].map(place), { modes });
    assert.deepEqual(asked.slice(0, 3), ['ar a', 'exact a', 'fast a']);
    assert.deepEqual(asked.slice(8, 11), ['ar b', 'exact b', 'fast b']);
    assert.equal(asked.length, 2 * (3 + modes.length));
    assert.deepEqual(
      rows.map(({ modes: made }) => Object.keys(made)),
      [modes, modes],
    );
  });

  it('leaves out what is not wanted', async () => {
    const wants: TaskRun['wants'] = ({ id }, mode) => id === 'b' || mode === 'exact';
    const { asked, rows } = await run(['a', 'b'].map(place), { wants });
    assert.deepEqual(asked, ['exact a', 'exact a', 'ar b', 'exact b', 'exact b', 'ar b']);
    assert.deepEqual(Object.keys(rows[0]?.modes ?? {}), ['exact']);
  });

  it('reads nothing when the time is up', async () => {
    assert.deepEqual((await run([place('a')], { until: -Infinity })).asked, []);
  });

  it('notes what stands at a place by its hash, and nothing where nothing does', async () => {
    const question: StepTask = { id: 'q', kind: 'prose', prompt: 'Why?', chat: true };
    const { rows } = await run([place('a'), question]);
    const [first, second] = rows;
    assert.match(first?.expectedSha256 ?? '', /^[0-9a-f]{16}$/);
    assert.ok(second && !('expectedSha256' in second));
  });
});
