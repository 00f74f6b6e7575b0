/**
 * A question that is always the same, and how fast a model answers it: what one execution provider is
 * compared with another by. Runs through stepper and proposer alone, on a scripted model as on a real
 * one; judges nothing.
 */
import type { TextTokenizer } from '../completion/types';
import type { Candidates } from '../decoding/proposal';
import type { Proposer, Stepper } from '../decoding/stepper';
import { median } from './measure';
import type { ProbeResult } from './protocol';

/** Code, as whose continuation a model has an opinion on most rows. */
const TEXT = `def read_numbers(path):
    """The numbers in a file, one a line."""
    numbers = []
    with open(path) as file:
        for line in file:
            if line.strip():
                numbers.append(float(line))
    return numbers


def mean(numbers):
    """The mean of some numbers, or None if there are none."""
    if not numbers:
        return None
    return sum(numbers) / len(numbers)


def main(argv):
    if len(argv) != 2:
        print("usage: mean FILE")
        return 2
    print(mean(read_numbers(argv[1])))
    return 0
`;

/** Tokens answered for, in steps: behind the first ones, which are prefilled. */
const ANSWERED = 48;
const ROWS = 8;
/** Candidates of a row that are compared. */
const CANDIDATES = 10;
/** Steps of one row whose median time counts; the first ones warm up. */
const TIMED = 12;
const WARM_UP = 3;

export interface ProbedModel {
  readonly stepper: Stepper;
  readonly tokenizer: TextTokenizer;
  readonly proposer?: Proposer | undefined;
}

/** Replaces what the cache held. */
export async function probeModel(
  { stepper, tokenizer, proposer }: ProbedModel,
  signal: AbortSignal,
): Promise<ProbeResult> {
  // Twice the text: the second half lies behind a block border, so whole blocks are read, too.
  const tokens = tokenizer.encode(TEXT + TEXT).slice(0, stepper.contextLength - 1);
  const prefilled = Math.max(1, tokens.length - ANSWERED);
  stepper.rewind(0);
  const started = performance.now();
  const { last } = await stepper.prefill(tokens.slice(0, prefilled), signal);
  const prefillMs = (performance.now() - started) / prefilled;

  const rows = [answerOf(last)];
  for (let at = prefilled; at < tokens.length; at += ROWS) {
    const predictions = await stepper.step(tokens.slice(at, at + ROWS), signal);
    rows.push(...predictions.map(answerOf));
  }
  const next = rows.at(-1)?.ids[0] ?? 0;
  if (proposer) {
    const links = await proposer.propose(next, signal);
    rows.push(...links.map(({ candidates }) => answerOf(candidates)));
  }

  const { length } = stepper;
  const times: number[] = [];
  for (let i = 0; i < WARM_UP + TIMED; i++) {
    signal.throwIfAborted();
    const before = performance.now();
    await stepper.step([next], signal);
    if (i >= WARM_UP) times.push(performance.now() - before);
    stepper.rewind(length);
  }
  return { kind: 'probe', rows, prefillMs, stepMs: median(times) };
}

function answerOf({ ids, logits, logNormalizer }: Candidates): ProbeResult['rows'][number] {
  const best = Array.from(logits.slice(0, CANDIDATES), (logit) => logit - logNormalizer);
  return {
    ids: Array.from(ids.slice(0, CANDIDATES)),
    logs: best.map((log) => (Number.isFinite(log) ? log : null)),
  };
}
