/**
 * Chooses the execution provider for a model: what the user asked for, or the fastest GPU that was
 * shown to compute the right numbers, or the CPU. A GPU is tried in a process of its own before the
 * engine meets it, and what was found is remembered.
 *
 * What it asks is handed in, so that every way in which a GPU can fail is played through without one.
 */
import type { ModelFiles, ProbeResult, Provider } from './protocol';
import type { ProbeOutcome } from './probe';
import {
  candidatesFor,
  CPU,
  judge,
  nameOf,
  type Adapter,
  type Adapters,
  type Judgement,
  type ProviderWish,
} from './provider';
import type { Subject, Verdict, Verdicts } from './verdicts';

export interface ProviderChoice {
  readonly provider: Provider;
  /** Files of the model for that provider. */
  readonly model: ModelFiles;
  /** Why this one, for diagnostics: a sentence. */
  readonly why: string;
  /** What the user is to be told, once: a GPU that was hoped for is not used. */
  readonly note?: string;
  /** What to go on with when the GPU fails later. */
  readonly fallback?: ModelFiles;
  /** Remembers that it failed later. */
  readonly lost?: (why: string) => Promise<void>;
}

export interface ChoiceParts {
  readonly models: {
    readonly cpu: ModelFiles;
    /** Files for a GPU, or why there are none. */
    readonly gpu: ModelFiles | { readonly missing: string };
  };
  readonly adapters: () => Promise<Adapters>;
  readonly probe: (model: ModelFiles, provider: Provider) => Promise<ProbeOutcome>;
  readonly verdicts: Pick<Verdicts, 'find' | 'remember'>;
  /** What a verdict on an adapter holds for. */
  readonly subject: (adapter: Adapter, model: ModelFiles) => Promise<Subject>;
  /** Runs `work` while no other process does the same. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
  /** Told before the first probe: it takes some seconds. */
  readonly onProbe?: (adapter: Adapter) => void;
  /** ms since 1970. */
  readonly now?: () => number;
}

/** What is known of one adapter. */
interface Tried {
  readonly adapter: Adapter;
  readonly subject: Subject;
  readonly judgement: Judgement;
  /** Whether it was tried now, and not in an earlier run. */
  readonly anew: boolean;
}

export async function chooseProvider(
  wish: ProviderWish,
  parts: ChoiceParts,
): Promise<ProviderChoice> {
  const { models } = parts;
  if (wish.provider === 'cpu') return onCpu(parts, 'the settings say so');
  const asked = wish.provider !== 'auto';
  const adapters = await parts.adapters();
  const candidates = candidatesFor(wish, adapters);
  const [first] = candidates;
  if (first === undefined) {
    const why = adapters.missing || 'there is no such device';
    return onCpu(parts, why, asked);
  }
  const { gpu } = models;
  if ('missing' in gpu) return onCpu(parts, gpu.missing, asked);
  if (asked) {
    const subject = await parts.subject(first, gpu);
    return onGpu(parts, gpu, first, subject, 'the settings say so');
  }
  const tried = await tryAll(candidates, gpu, parts);
  const best = fastest(tried);
  if (best?.judgement.good) {
    return onGpu(parts, gpu, best.adapter, best.subject, best.judgement.why);
  }
  const whys = tried.map(
    ({ adapter, judgement }) => `${nameOf(adapter.provider)}: ${judgement.why}`,
  );
  return onCpu(
    parts,
    whys.join('; '),
    tried.some(({ anew }) => anew),
  );
}

function onCpu({ models }: ChoiceParts, why: string, tell = false): ProviderChoice {
  const note = `The model runs on the CPU: ${ended(why)}`;
  return { provider: CPU, model: models.cpu, why: ended(why), ...(tell && { note }) };
}

function onGpu(
  { models, verdicts, now = Date.now }: ChoiceParts,
  model: ModelFiles,
  { provider }: Adapter,
  subject: Subject,
  why: string,
): ProviderChoice {
  return {
    provider,
    model,
    why: ended(why),
    fallback: models.cpu,
    lost: (reason) => verdicts.remember(subject, { at: now(), failure: 'lost', why: reason }),
  };
}

/** Looks up what is known of each adapter, and probes what is not. */
async function tryAll(
  candidates: readonly Adapter[],
  model: ModelFiles,
  parts: ChoiceParts,
): Promise<Tried[]> {
  const tried: Tried[] = [];
  for (const adapter of candidates) {
    const known = await triedBefore(adapter, await parts.subject(adapter, model), parts);
    // Another window may be at it just now: what it finds is looked up when it is done.
    if (!known || (!known.judgement.good && known.judgement.failure === 'unfinished')) {
      return await parts.alone(() => probeAll(candidates, model, parts));
    }
    tried.push(known);
  }
  return tried;
}

/** What an earlier run, or another window, found of an adapter. */
async function triedBefore(
  adapter: Adapter,
  subject: Subject,
  { verdicts, now = Date.now }: ChoiceParts,
): Promise<Tried | undefined> {
  const verdict = await verdicts.find(subject, now());
  return verdict && { adapter, subject, judgement: judgementOf(verdict), anew: false };
}

async function probeAll(
  candidates: readonly Adapter[],
  model: ModelFiles,
  parts: ChoiceParts,
): Promise<Tried[]> {
  const { verdicts, now = Date.now } = parts;
  let onCpu: Promise<ProbeOutcome> | undefined;
  const tried: Tried[] = [];
  for (const adapter of candidates) {
    const subject = await parts.subject(adapter, model);
    const known = await triedBefore(adapter, subject, parts);
    if (known) {
      tried.push(known);
      continue;
    }
    parts.onProbe?.(adapter);
    onCpu ??= parts.probe(parts.models.cpu, CPU);
    const cpu = await onCpu;
    // Without the CPU's answer there is nothing to compare with, and loading it will say why.
    if (!('answer' in cpu)) {
      const why = `it could not be compared with the CPU: ${cpu.why}`;
      tried.push({
        adapter,
        subject,
        judgement: { good: false, failure: 'error', why },
        anew: true,
      });
      continue;
    }
    // Should the driver take the whole machine down, this is what is found afterwards.
    const unfinished = 'a test of it was begun and did not end';
    await verdicts.remember(subject, { at: now(), failure: 'unfinished', why: unfinished });
    const judgement = judgementFor(cpu.answer, await parts.probe(model, adapter.provider));
    const { why } = judgement;
    await verdicts.remember(
      subject,
      judgement.good
        ? { at: now(), why, stepMs: judgement.stepMs }
        : { at: now(), failure: judgement.failure, why },
    );
    tried.push({ adapter, subject, judgement, anew: true });
  }
  return tried;
}

function judgementFor(cpu: ProbeResult, gpu: ProbeOutcome): Judgement {
  if ('answer' in gpu) return judge(cpu, gpu.answer);
  return { good: false, failure: gpu.failure, why: `it failed a test: ${gpu.why}` };
}

function judgementOf({ failure, why, stepMs }: Verdict): Judgement {
  if (failure === undefined) return { good: true, why, stepMs: stepMs ?? Infinity };
  return { good: false, failure, why };
}

/** Of those that passed; an integrated and a discrete one differ in nothing else that can be known. */
function fastest(tried: readonly Tried[]): Tried | undefined {
  const time = ({ judgement }: Tried) => (judgement.good ? judgement.stepMs : Infinity);
  return tried.reduce<Tried | undefined>(
    (best, each) => (best && time(best) <= time(each) ? best : each),
    undefined,
  );
}

const ended = (sentence: string): string => (/[.!?]$/.test(sentence) ? sentence : `${sentence}.`);
