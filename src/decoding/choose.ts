/**
 * Chooses one token from head 1's prediction: the likeliest, or a draw among the top k.
 *
 * Knows nothing of steps, stop rules or text.
 */
import { seededRandom } from './random';
import type { RowPrediction } from './stepper';

export interface SamplingOptions {
  /** 0 takes the likeliest token; above 0 logits are divided by it before the draw. */
  readonly temperature?: number;
  /** Candidates of a draw. */
  readonly topK?: number;
  /** Any integer; the same seed gives the same tokens. */
  readonly seed?: number;
}

/** One chosen token. */
export interface Choice {
  readonly id: number;
  /** The model's probability of the token at temperature 1, among all tokens that were allowed. */
  readonly probability: number;
}

/**
 * Picks a token. With `allowed`, only candidates that it accepts are considered; the result is
 * undefined when it accepts none of them.
 */
export interface Chooser {
  (prediction: RowPrediction): Choice;
  (prediction: RowPrediction, allowed: (id: number) => boolean): Choice | undefined;
}

/** What a model returned cannot be a prediction: NaN, nothing at all, or shapes that disagree. */
export class ModelOutputError extends Error {
  override readonly name = 'ModelOutputError';

  constructor(what: string) {
    super(`The model returned ${what}; run "models verify", then install the model again.`);
  }
}

/**
 * Makes the chooser of one generation. It owns the random state, so one generation needs one.
 *
 * @throws {RangeError} when an option is out of range
 */
export function createChooser(options: SamplingOptions = {}): Chooser {
  const { temperature = 0, topK = 50, seed = 0 } = options;
  if (!(temperature >= 0 && temperature <= 10)) {
    throw new RangeError(`The temperature must lie between 0 and 10, not ${temperature}.`);
  }
  if (!Number.isInteger(topK) || topK < 1) {
    throw new RangeError(`Top-k must be a whole number of at least 1, not ${topK}.`);
  }
  const random = seededRandom(seed);

  function choose(prediction: RowPrediction): Choice;
  function choose(prediction: RowPrediction, allowed: (id: number) => boolean): Choice | undefined;
  function choose(
    prediction: RowPrediction,
    allowed?: (id: number) => boolean,
  ): Choice | undefined {
    checkPrediction(prediction);
    const { ids, logits, logNormalizer } = prediction;
    const places: number[] = [];
    for (let place = 0; place < ids.length && places.length < topK; place++) {
      if (allowed && !allowed(ids[place] ?? -1)) continue;
      places.push(place);
      if (temperature === 0 && !allowed) break;
    }
    if (places.length === 0) return undefined;

    const values = places.map((place) => logits[place] ?? -Infinity);
    const index = temperature === 0 ? 0 : draw(values, temperature, random());
    const place = places[index] ?? 0;
    const logit = values[index] ?? -Infinity;
    // Without a constraint the whole vocabulary was allowed; with one, what it left.
    const normalizer = allowed ? logSumExp(values) : logNormalizer;
    const probability = logit === -Infinity ? 0 : Math.min(1, Math.exp(logit - normalizer));
    return { id: ids[place] ?? 0, probability };
  }
  return choose;
}

/** Index of the entry that `uniform` in [0, 1) falls on, in proportion to exp(logit / temperature). */
function draw(logits: readonly number[], temperature: number, uniform: number): number {
  const largest = Math.max(...logits);
  const weights = logits.map((logit) => Math.exp((logit - largest) / temperature));
  let left = uniform * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries()) {
    if (left < weight) return index;
    left -= weight;
  }
  return logits.indexOf(largest); // Rounding used up the last weight.
}

function logSumExp(logits: readonly number[]): number {
  const largest = Math.max(...logits);
  return largest + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0));
}

/**
 * Rejects what no sound model returns. Called on every row, so it only looks at k numbers.
 *
 * @throws {ModelOutputError}
 */
function checkPrediction({ ids, logits, logNormalizer }: RowPrediction): void {
  if (ids.length === 0) throw new ModelOutputError('no candidate for the next token');
  if (ids.length !== logits.length) {
    throw new ModelOutputError(`${ids.length} candidates with ${logits.length} logits`);
  }
  if (!Number.isFinite(logNormalizer)) {
    throw new ModelOutputError(`a normaliser that is ${logNormalizer}`);
  }
  for (let place = 0; place < ids.length; place++) {
    const logit = logits[place] ?? NaN;
    // A masked candidate may be −∞, but the first one may not: nothing would be left.
    if (!Number.isFinite(logit) && (logit !== -Infinity || place === 0)) {
      throw new ModelOutputError(`a logit that is ${logit}`);
    }
    const id = ids[place] ?? -1;
    if (id < 0) throw new ModelOutputError(`the token id ${id}`);
  }
}
