/**
 * Makes the trace of a step, when one was asked for. Nothing here runs otherwise.
 *
 * Knows decisions that were made. It must not make any.
 */
import { Cells } from './cells';
import { Cutter } from './cut';
import type { Decision } from './fast-choice';
import type { FastOptions } from './fast-options';
import { jointOf } from './joint';
import type { Candidates, ChainLink, Proposal } from './proposal';
import type { RowPrediction } from './stepper';
import type {
  TracedCandidates,
  TracedCell,
  TracedDecision,
  TracedDraft,
  TracedPlace,
} from './trace';

export interface TraceOptions {
  /** Candidates of each head that are told, 1 or more. */
  readonly candidates: number;
}

/** Cells of J that are told. */
const MOST_CELLS = 20;

export function traceCandidates(
  { ids, logits, logNormalizer }: Candidates,
  { candidates }: TraceOptions,
): TracedCandidates {
  const end = logits.findIndex((logit) => !Number.isFinite(logit)); // JSON has no word for −∞.
  const length = Math.min(candidates, end < 0 ? logits.length : end);
  return {
    ids: Array.from(ids.subarray(0, length)),
    logits: Array.from(logits.subarray(0, length)),
    logNormalizer,
  };
}

/** What each place of a proposal is chosen from: head 1's candidates and those of the heads. */
export function traceProposal(proposal: Proposal, options: TraceOptions): TracedPlace[] {
  return candidatesOf(proposal).map((candidates, place) => {
    const traced = traceCandidates(candidates, options);
    return place === 0 ? { base: traced } : { head: traced };
  });
}

/** Fast mode's decision, with the largest cells of J that it was made from. */
export function traceDecision(
  proposal: Proposal,
  { choices, joint, tried }: Decision,
  settings: Required<FastOptions>,
): TracedDecision {
  const last = tried.at(-1);
  const order = last?.order ?? 1;
  const tensor = jointOf(proposal, settings.temperature, settings.topK);
  const masked = order > 1 && last?.unmasked !== true;
  const mask = masked ? new Cutter(settings).mask(proposal.kind) : undefined;
  const cells = new Cells();
  tensor.fill(cells, order, 0, mask);
  const limit = Math.max(
    settings.useStatic ? (last?.staticThreshold ?? 0) : 0,
    last?.adaptiveThreshold ?? 0,
  );
  const largest = Array.from({ length: cells.count }, (_, i) => i)
    .sort((a, b) => (cells.values[b] ?? 0) - (cells.values[a] ?? 0))
    .slice(0, MOST_CELLS);
  return {
    order: choices.length,
    joint,
    epsilon: settings.epsilon,
    tried,
    cells: largest.map((i): TracedCell => {
      const value = cells.values[i] ?? 0;
      const ids = tensor.idsAt(order, cells.places[i] ?? 0);
      return { ids, value, survives: value >= limit };
    }),
  };
}

/**
 * The places of a step in exact mode.
 *
 * @param predictions after each row that was verified; [drafts + 1]
 * @param links what the heads proposed for the first places; often none
 */
export function traceVerification(
  predictions: readonly RowPrediction[],
  drafts: readonly number[],
  source: TracedDraft['source'],
  accepted: number,
  links: readonly ChainLink[],
  options: TraceOptions,
): TracedPlace[] {
  const count = Math.max(accepted + 1, drafts.length, links.length);
  return Array.from({ length: count }, (_, place): TracedPlace => {
    // Behind a refused draft the base was asked about a text that was not to be.
    const prediction = place <= accepted ? predictions[place] : undefined;
    const link = links[place];
    const id = drafts[place];
    const fate = place < accepted ? 'accepted' : place === accepted ? 'refused' : 'unreached';
    return {
      ...(prediction && { base: traceCandidates(prediction, options) }),
      ...(link && { head: traceCandidates(link.candidates, options) }),
      ...(id !== undefined && { draft: { id, source, fate } }),
    };
  });
}

/** Candidates of each place: of the heads, or along the greedy chain. */
function candidatesOf(proposal: Proposal): readonly Candidates[] {
  if (proposal.kind === 'independent') return proposal.heads;
  return (proposal.chains[0] ?? []).map(({ candidates }) => candidates);
}
