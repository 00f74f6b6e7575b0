/** Asks base and heads together: what decisions and pictures are made from. */
import type { ChainLink, Proposal } from './proposal';
import type { Proposer, RowPrediction } from './stepper';

/**
 * What base and heads say behind the cache's last row, after which the base predicts `last`.
 *
 * @param chains first tokens that chained heads are evaluated for, the likeliest ones
 * @throws the signal's reason when it is aborted
 */
export async function proposalBehind(
  proposer: Proposer,
  last: RowPrediction,
  chains: number,
  signal: AbortSignal,
): Promise<Proposal> {
  if (proposer.kind === 'independent') {
    const links = await proposer.propose(last.ids[0] ?? 0, signal);
    return { kind: 'independent', heads: [last, ...links.map(({ candidates }) => candidates)] };
  }
  const beginnings: ChainLink[][] = [];
  for (const id of last.ids.subarray(0, chains)) {
    beginnings.push([{ id, candidates: last }, ...(await proposer.propose(id, signal))]);
  }
  return { kind: 'chained', chains: beginnings };
}
