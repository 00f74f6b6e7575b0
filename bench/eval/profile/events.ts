/** ONNX Runtime's profile of a session: what each run took, by operator. Pure. */
import { z } from 'zod';

export interface Operator {
  readonly name: string;
  /** A run's, all nodes of this kind together. */
  readonly ms: number;
  readonly calls: number;
}

export interface ProfiledRun {
  readonly ms: number;
  readonly operators: readonly Operator[];
}

/** Chrome's trace events; microseconds. Others than those of runs and nodes are ignored. */
const event = z.object({
  cat: z.string(),
  name: z.string(),
  ts: z.number(),
  dur: z.number(),
  args: z.object({ op_name: z.string().optional() }),
});
type Event = z.infer<typeof event>;

/**
 * The runs of a session in their order.
 *
 * @param trace what the session wrote when it was closed
 * @throws when it is no profile
 */
export function profiledRuns(trace: string): ProfiledRun[] {
  const events = z
    .array(z.unknown())
    .parse(JSON.parse(trace))
    .flatMap((each) => event.safeParse(each).data ?? [])
    .sort((a, b) => a.ts - b.ts);
  const runs: { run: Event; nodes: Event[] }[] = [];
  for (const each of events) {
    if (each.cat === 'Session' && each.name === 'model_run') runs.push({ run: each, nodes: [] });
  }
  let at = 0;
  for (const node of events) {
    if (node.cat !== 'Node' || !node.name.endsWith('_kernel_time')) continue;
    while (at < runs.length && endOf(runs[at]?.run) <= node.ts) at++;
    const current = runs[at];
    if (current && current.run.ts <= node.ts) current.nodes.push(node);
  }
  return runs.map(({ run, nodes }) => ({ ms: run.dur / 1000, operators: byOperator(nodes) }));
}

const endOf = (run: Event | undefined): number => (run ? run.ts + run.dur : Infinity);

function byOperator(nodes: readonly Event[]): Operator[] {
  const sums = new Map<string, { ms: number; calls: number }>();
  for (const { dur, args } of nodes) {
    const name = args.op_name ?? 'unknown';
    const sum = sums.get(name) ?? { ms: 0, calls: 0 };
    sum.ms += dur / 1000;
    sum.calls++;
    sums.set(name, sum);
  }
  return [...sums].map(([name, sum]) => ({ name, ...sum }));
}

/** The mean of the middle half of the runs by time, operators by name in the order of their time. */
export function typicalRun(runs: readonly ProfiledRun[]): ProfiledRun {
  const middle = middleHalf(runs, ({ ms }) => ms);
  const names = new Set(middle.flatMap(({ operators }) => operators.map(({ name }) => name)));
  const all = (name: string) =>
    middle.flatMap(({ operators }) => operators.filter((each) => each.name === name));
  const operators = [...names].map((name) => ({
    name,
    ms: meanOf(all(name).map(({ ms }) => ms)),
    calls: meanOf(all(name).map(({ calls }) => calls)),
  }));
  return {
    ms: meanOf(middle.map(({ ms }) => ms)),
    operators: operators.sort((a, b) => b.ms - a.ms),
  };
}

/** Without the lowest and the highest quarter. */
export function middleHalf<T>(items: readonly T[], value: (item: T) => number): T[] {
  const quarter = items.length >> 2;
  return items.toSorted((a, b) => value(a) - value(b)).slice(quarter, items.length - quarter);
}

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
