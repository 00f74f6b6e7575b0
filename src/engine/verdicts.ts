/**
 * What probes of GPUs found, kept in one small file of the data directory, so that a machine is probed
 * once and not at every start. A file that is damaged, or of another version, is none.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { writeAtomically } from '../models/files';
import { FAILURES, type Adapter, type Failure } from './provider';

const text = z.string().max(2000);

const verdictSchema = z.strictObject({
  /** What the verdict holds for; see `Subject`. */
  subject: text,
  /** When it was found, ms since 1970. */
  at: z.int().min(0),
  /** Absent where the GPU passed. */
  failure: z.enum(FAILURES).exactOptional(),
  /** For people to read. */
  why: text,
  /** Of a GPU that passed, ms a step. */
  stepMs: z.number().min(0).exactOptional(),
});

const fileSchema = z.strictObject({
  version: z.literal(1),
  verdicts: z.array(verdictSchema).max(1000),
});

export type Verdict = z.infer<typeof verdictSchema>;

/** A change of any of these is a reason to probe again. */
export interface Subject {
  readonly provider: string;
  readonly device: number;
  readonly driver: string;
  /** Version of ONNX Runtime, and of the provider's own files. */
  readonly runtime: string;
  /** Id, precision and heads of the model, and the hash of its graph. */
  readonly model: string;
}

/** The newest verdicts that are kept. */
const MOST = 50;

const HOUR_MS = 3_600_000;
const WEEK_MS = 7 * 24 * HOUR_MS;

/**
 * How long a failure stands while nothing changed. Memory may be free again soon, and a probe that
 * never told its end may just have been interrupted; but a driver that takes the machine down with it
 * must not do so at every start.
 */
const STANDS_MS: Readonly<Record<Failure, number>> = {
  memory: HOUR_MS,
  unfinished: HOUR_MS,
  lost: 24 * HOUR_MS,
  crash: WEEK_MS,
  hang: WEEK_MS,
  error: WEEK_MS,
  numbers: Infinity,
  slow: WEEK_MS,
};

export class Verdicts {
  readonly #path: string;

  /** @param home the data directory */
  constructor(home: string) {
    this.#path = join(home, 'providers.json');
  }

  /** What is known of a subject at a time, ms since 1970; undefined where it is to be probed. */
  async find(subject: Subject, now: number): Promise<Verdict | undefined> {
    const key = keyOf(subject);
    const found = (await this.#read()).find((verdict) => verdict.subject === key);
    if (!found || found.at > now) return undefined; // The clock was turned back.
    if (found.failure !== undefined && now - found.at >= STANDS_MS[found.failure]) return undefined;
    return found;
  }

  /** Whether some model passed on an adapter with this driver; undefined where none was tried. */
  async serves({ provider, driver }: Adapter): Promise<boolean | undefined> {
    const prefix = `${[provider.name, provider.device, driver].join(' | ')} | `;
    const own = (await this.#read()).filter(({ subject }) => subject.startsWith(prefix));
    return own.length === 0 ? undefined : own.some(({ failure }) => failure === undefined);
  }

  /** Remembers a verdict in place of the one before. Best effort: without it, probes come again. */
  async remember(subject: Subject, verdict: Omit<Verdict, 'subject'>): Promise<void> {
    const key = keyOf(subject);
    const others = (await this.#read()).filter((each) => each.subject !== key);
    const why = verdict.why.slice(0, 2000);
    const verdicts = [{ ...verdict, why, subject: key }, ...others].slice(0, MOST);
    try {
      await mkdir(dirname(this.#path), { recursive: true });
      await writeAtomically(this.#path, `${JSON.stringify({ version: 1, verdicts }, null, 2)}\n`);
    } catch {
      // A full or read-only disk is no reason not to complete.
    }
  }

  async #read(): Promise<readonly Verdict[]> {
    try {
      const content: unknown = JSON.parse(await readFile(this.#path, 'utf8'));
      return fileSchema.parse(content).verdicts;
    } catch {
      return [];
    }
  }
}

const keyOf = ({ provider, device, driver, runtime, model }: Subject): string =>
  [provider, device, driver, runtime, model].join(' | ').slice(0, 2000);
