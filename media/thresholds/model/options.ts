/** From the view's settings and an inspection to what decoding/ takes. */
import { tableOfPart } from '../../../src/decoding/cooccurrence-part';
import type { FastOptions } from '../../../src/decoding/fast-options';
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
}

export function placeOf(inspection: Inspection): Place {
  const tokens = new Map<number, InspectedToken>(inspection.tokens.map((each) => [each.id, each]));
  return {
    inspection,
    proposal: proposalOf(inspection.proposal),
    table: inspection.table && tableOfPart(inspection.table),
    label: (id) => labelOf(tokens.get(id) ?? { id, kind: 'control', text: '' }),
  };
}

/** What is decided on: of chained heads as many rows as the settings ask for. */
export function proposalFor({ proposal }: Place, { chains }: ViewSettings): Proposal {
  if (proposal.kind === 'independent') return proposal;
  return { kind: 'chained', chains: proposal.chains.slice(0, chains) };
}

export function optionsOf(
  settings: ViewSettings,
  table: CooccurrenceTable | undefined,
): FastOptions {
  const { epsilon, temperature, topK, alpha, useOtsu, useBlur, penalty } = settings;
  return { epsilon, temperature, topK, table, mask: { alpha }, useOtsu, useBlur, penalty };
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
