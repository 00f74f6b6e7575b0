/** The steps of a completion as runs of text, for drawing. */
import type { ViewCompletion, ViewStep } from '../messages';
import { percent } from './scale';
import { readable, visible } from './label';

export interface Run {
  readonly step: number;
  readonly text: string;
  /** Drafts that did not hold, with whitespace made visible. */
  readonly rejected: string;
  readonly source: ViewStep['source'];
  /** 0 to 1: what the colour means, as the user chose. */
  readonly strength: number;
  readonly title: string;
}

export type Colour = 'step' | 'confidence' | 'time';

/** More steps than this are shown only when asked for. */
export const MOST_RUNS = 1_500;

export function runsOf(completion: ViewCompletion, colour: Colour, all: boolean): Run[] {
  const { steps } = completion;
  const longest = Math.max(1e-9, ...steps.map(({ ms }) => ms));
  return steps.slice(0, all ? steps.length : MOST_RUNS).map((step, index) => ({
    step: index,
    text: readable(step.text),
    rejected: visible(step.rejected),
    source: step.source,
    strength: { step: index % 2, confidence: step.confidence, time: step.ms / longest }[colour],
    title: describeStep(step, index),
  }));
}

export function describeStep(step: ViewStep, index: number): string {
  const tokens = step.n === 1 ? '1 token' : `${step.n} tokens`;
  const source = { base: 'the base model', head: 'the heads', lookup: 'lookup' }[step.source];
  const rows = step.rows === 0 ? 'from the prompt’s own run' : rowsText(step.rows);
  return (
    `Step ${index + 1}: ${tokens} from ${source}, ${percent(step.confidence)} sure, ` +
    `${step.ms.toFixed(1)} ms, ${rows}`
  );
}

const rowsText = (rows: number) => (rows === 1 ? '1 row' : `${rows} rows`);

export interface Totals {
  readonly tokensPerStep: number;
  /** Behind the prompt. */
  readonly tokensPerSecond: number;
  readonly bySource: Readonly<Record<ViewStep['source'], number>>;
}

export function totalsOf({ steps, tokens, decodeMs }: ViewCompletion): Totals {
  const bySource = { base: 0, head: 0, lookup: 0 };
  for (const { n, source } of steps) {
    // A step's first token is the base's own, whatever drafted those behind it.
    bySource.base += 1;
    bySource[source] += n - 1;
  }
  return {
    tokensPerStep: steps.length > 0 ? tokens / steps.length : 0,
    tokensPerSecond: decodeMs > 0 ? (1000 * tokens) / decodeMs : 0,
    bySource,
  };
}
