/** From the view's settings and an inspection to what decoding/ takes. */
import { tableOfPart } from '../../../src/decoding/cooccurrence-part';
import { Pictures, type PictureOptions } from '../../../src/decoding/picture';
import type { Candidates, Proposal } from '../../../src/decoding/proposal';
import type { CooccurrenceTable } from '../../../src/decoding/cooccurrence';
import type { InspectedProposal, InspectedToken, Inspection } from '../../../src/engine/inspection';
import type { ViewSettings } from '../messages';
import { labelOf, type Label } from './label';

/** An inspection, ready to compute with. */
export interface Place {
  readonly inspection: Inspection;
  readonly proposal: Proposal;
  readonly table: CooccurrenceTable | undefined;
  label(id: number): Label;
  /** Pictures of what is decided on when chained heads are followed behind so many first tokens. */
  pictures(chains: number): Pictures;
}

export function placeOf(inspection: Inspection): Place {
  const tokens = new Map<number, InspectedToken>(inspection.tokens.map((each) => [each.id, each]));
  const proposal = proposalOf(inspection.proposal);
  const table = inspection.table && tableOfPart(inspection.table);
  const known = new Map<number, Pictures>();
  return {
    inspection,
    proposal,
    table,
    label: (id) => labelOf(tokens.get(id) ?? { id, kind: 'control', text: '' }),
    pictures(chains) {
      const rows = proposal.kind === 'chained' ? Math.min(chains, proposal.chains.length) : 0;
      const pictures =
        known.get(rows) ?? new Pictures(limited(proposal, rows), inspection.recent, table);
      known.set(rows, pictures);
      return pictures;
    },
  };
}

/** What the settings say of a decision; the mask's table is the place's. */
export function optionsOf(settings: ViewSettings): PictureOptions {
  const { epsilon, temperature, topK, alpha, useOtsu, useBlur, penalty } = settings;
  return { epsilon, temperature, topK, mask: { alpha }, useOtsu, useBlur, penalty };
}

/** What is decided on: of chained heads so many rows. */
export function limited(proposal: Proposal, chains: number): Proposal {
  if (proposal.kind === 'independent') return proposal;
  return { kind: 'chained', chains: proposal.chains.slice(0, chains) };
}

function proposalOf(proposal: InspectedProposal): Proposal {
  if (proposal.kind === 'independent') {
    return { kind: 'independent', heads: proposal.heads.map(candidatesOf) };
  }
  const chains = proposal.chains.map((chain) =>
    chain.map(({ id, candidates }) => ({ id, candidates: candidatesOf(candidates) })),
  );
  return { kind: 'chained', chains };
}

function candidatesOf({ ids, logits, logNormalizer }: Unsealed): Candidates {
  return { ids: Int32Array.from(ids), logits: Float32Array.from(logits), logNormalizer };
}

type Unsealed = Extract<InspectedProposal, { kind: 'independent' }>['heads'][number];
