/**
 * Which execution provider of ONNX Runtime runs a model: what may be asked for, which GPUs come into
 * question, and whether what a GPU answered is good enough. Pure; choose-provider.ts carries it out.
 */
import type { ProbeResult, Provider } from './protocol';

export type ProviderName = Provider['name'];
export type ProviderSetting = ProviderName | 'auto';

export const PROVIDER_SETTINGS: readonly ProviderSetting[] = ['auto', 'cpu', 'cuda', 'dml'];

export const CPU: Provider = { name: 'cpu', device: 0 };

/** What the user asks for. */
export interface ProviderWish {
  readonly provider: ProviderSetting;
  /** Of the provider's devices, counted as it counts them; undefined lets the engine choose. */
  readonly device?: number | undefined;
}

/** A GPU that a provider may run on. */
export interface Adapter {
  readonly provider: Provider;
  /** Version of its driver: a verdict holds for this one alone. */
  readonly driver: string;
}

/** What a machine has, see adapters.ts. */
export interface Adapters {
  readonly found: readonly Adapter[];
  /** Why there are no others, for people to read. */
  readonly missing: string;
}

/** Adapters in the order in which they are tried: as the driver lists them. */
export function candidatesFor({ provider, device }: ProviderWish, { found }: Adapters): Adapter[] {
  return found.filter(
    (adapter) =>
      (provider === 'auto' || provider === adapter.provider.name) &&
      (device === undefined || device === adapter.provider.device),
  );
}

export const FAILURES = [
  /** What ended a probe before it had an answer. */
  'crash',
  'hang',
  'memory',
  'error',
  /** What is wrong with an answer. */
  'numbers',
  'slow',
  /** It passed, but failed at work. */
  'lost',
  /** A probe was begun, and nothing is known of its end. */
  'unfinished',
] as const;

export type Failure = (typeof FAILURES)[number];

export type Judgement =
  | { readonly good: true; readonly why: string; readonly stepMs: number }
  | { readonly good: false; readonly failure: Failure; readonly why: string };

/**
 * How far the GPU's answer may be from the CPU's, whose weights are rounded in another way. fp16 against
 * int8 was found to differ by 2 % and 0.019 (135M), 0 % and 0.006 (0.5B), see test/engine/half.test.ts;
 * five times as much is allowed.
 */
export const TOLERANCE = {
  /** Rows whose first choice must be the same. */
  sameChoice: 0.9,
  /** Mean distance of the log-probabilities of the CPU's candidates. */
  meanDistance: 0.1,
};

/** Ratio of a step's times below which moving to the GPU is worth its memory and its start. */
export const WORTHWHILE = 0.9;

/** Compares what a GPU and the CPU answered to the same question. */
export function judge(cpu: ProbeResult, gpu: ProbeResult): Judgement {
  const { same, distance } = difference(cpu, gpu);
  if (!(same >= TOLERANCE.sameChoice) || !(distance <= TOLERANCE.meanDistance)) {
    const figures = `${percent(same)} of its first choices are the CPU's, log-probabilities differ by ${distance.toFixed(2)} on average`;
    return { good: false, failure: 'numbers', why: `its numbers are wrong: ${figures}` };
  }
  const speeds = `${gpu.stepMs.toFixed(1)} ms a step, ${cpu.stepMs.toFixed(1)} ms on the CPU`;
  if (!(gpu.stepMs <= WORTHWHILE * cpu.stepMs)) {
    return { good: false, failure: 'slow', why: `it is not faster: ${speeds}` };
  }
  return { good: true, why: speeds, stepMs: gpu.stepMs };
}

/** Share of equal first choices; mean distance over the CPU's candidates, Infinity for nonsense. */
export function difference(cpu: ProbeResult, gpu: ProbeResult): { same: number; distance: number } {
  const rows = cpu.rows.length;
  if (rows === 0 || gpu.rows.length !== rows) return { same: 0, distance: Infinity };
  let same = 0;
  let total = 0;
  let count = 0;
  for (const [place, row] of cpu.rows.entries()) {
    const other = gpu.rows[place];
    if (!other || other.logs.some((log) => log === null)) return { same: 0, distance: Infinity };
    if (row.ids[0] === other.ids[0]) same++;
    const least = other.logs.at(-1) ?? 0;
    for (const [i, id] of row.ids.entries()) {
      const found = other.ids.indexOf(id);
      // What is not among the GPU's candidates is at most as likely as the last of them.
      const log = found < 0 ? least : (other.logs[found] ?? 0);
      const weight = Math.exp(row.logs[i] ?? -Infinity);
      total += weight * Math.abs((row.logs[i] ?? 0) - log);
      count += weight;
    }
  }
  return { same: same / rows, distance: count > 0 ? total / count : Infinity };
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;

const NAMES: Readonly<Record<ProviderName, string>> = {
  cpu: 'the CPU',
  cuda: 'CUDA',
  dml: 'DirectML',
};

/** A provider as people read it. */
export function nameOf({ name, device }: Provider): string {
  return name === 'cpu' ? NAMES.cpu : `${NAMES[name]}, device ${device}`;
}
