/** Damages sound inputs, feeds them to a reader, and tells what it did that no reader should. */
import { mutate, randomFrom } from './mutate';
import type { Reader } from './readers';

/** What reading may take beyond the file's own size, bytes. */
const MOST_MEMORY = 64 * 2 ** 20;
/** An input that takes so long hangs the reader, ms; sound ones take about one. */
const LONGEST = 20_000;

export interface Outcome {
  readonly reader: string;
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
  /** The most memory that one input took, bytes. */
  readonly mostMemory: number;
  readonly longestMs: number;
  readonly failures: readonly Failure[];
}

export interface Failure {
  readonly what: string;
  /** The input, in base64. */
  readonly input: string;
}

/** Feeds `inputs` damaged inputs to a reader. The same seed makes the same inputs. */
export async function fuzz(reader: Reader, inputs: number, seed: number): Promise<Outcome> {
  for (const sound of reader.sound) await attempt(reader, Buffer.from(sound)); // Not refused.
  const random = randomFrom(seed);
  const failures: Failure[] = [];
  let [accepted, refused, mostMemory, longestMs] = [0, 0, 0, 0];
  for (let n = 0; n < inputs; n++) {
    const sound = reader.sound[n % reader.sound.length];
    if (!sound) break;
    const content = mutate(sound, random, reader.text);
    const fail = (what: string) => failures.push({ what, input: content.toString('base64') });
    const [before, started] = [memory(), performance.now()];
    try {
      await Promise.race([attempt(reader, content), late()]);
      accepted++;
    } catch (error) {
      if (reader.refuses(error)) refused++;
      else fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    const taken = memory() - before - content.length;
    mostMemory = Math.max(mostMemory, taken);
    longestMs = Math.max(longestMs, performance.now() - started);
    if (taken > MOST_MEMORY) fail(`It took ${taken} bytes of memory.`);
    if (failures.length >= 5) break;
  }
  return { reader: reader.name, inputs, accepted, refused, mostMemory, longestMs, failures };
}

/** What a reader throws at once is what it rejects with. */
async function attempt(reader: Reader, content: Buffer): Promise<void> {
  await reader.read(content);
}

/** What is allocated on the heap and beside it; what the last input left is not collected yet. */
function memory(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

let timer: NodeJS.Timeout | undefined;

function late(): Promise<never> {
  clearTimeout(timer);
  return new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('It hangs.')), LONGEST);
    timer.unref();
  });
}
