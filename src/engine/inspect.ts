/**
 * Looks at one place: what base and heads would be decided on there. Decides nothing itself.
 *
 * Everything that it needs is handed in, so it runs on a scripted model as on a real one. Leaves the
 * KV cache at the place, so that the next completion there runs next to nothing anew.
 */
import type { PromptFormat, TextTokenizer } from '../completion/types';
import { createChooser } from '../decoding/choose';
import type { CooccurrenceTable } from '../decoding/cooccurrence';
import { partOf } from '../decoding/cooccurrence-part';
import { createHealer } from '../decoding/healing';
import { feed } from '../decoding/plain';
import type { Candidates, Proposal } from '../decoding/proposal';
import { proposalBehind } from '../decoding/propose';
import type { Proposer, RowPrediction, Stepper } from '../decoding/stepper';
import { cursorPrompt, healingOf } from './completer';
import { EngineError } from './errors';
import type { InspectedProposal, InspectedToken, Inspection } from './inspection';
import { continuationPrompt, controlNames, promptTail } from './prompt-text';
import type { InspectRequest } from './protocol';

export interface InspectorOptions {
  /** Id of the model. */
  readonly model: string;
  readonly format: PromptFormat;
  readonly stepper: Stepper;
  readonly tokenizer: TextTokenizer;
  readonly proposer?: Proposer | undefined;
  readonly table?: (() => Promise<CooccurrenceTable>) | undefined;
}

/** Latest tokens of the output that are told. */
const RECENT = 1024;

export function createInspector(options: InspectorOptions) {
  const { model, format, stepper, tokenizer, proposer } = options;
  const names = controlNames(format, tokenizer);

  return async function inspect(request: InspectRequest, signal: AbortSignal): Promise<Inspection> {
    const started = performance.now();
    const { tokens: prompt, healed } = promptOf(request);
    const behind = request.after ?? [];
    const room = stepper.contextLength - prompt.length - behind.length;
    if (room < 1) {
      throw new EngineError('badRequest', 'That place lies beyond what the model can see.');
    }
    if (behind.some((id) => tokenizer.bytes(id).length === 0)) {
      throw new EngineError('badRequest', 'The text up to that place is not one of this model.');
    }
    signal.throwIfAborted();
    const { last, reused } = await stepper.prefill([...prompt, ...behind], signal);
    // The tokens behind the prompt have brought back what was cut from it.
    const reached = await heal(last, behind.length > 0 ? '' : healed, signal);
    const output = [...behind, ...reached.tokens];
    const proposal: Proposal = proposer
      ? await proposalBehind(proposer, reached.last, request.chains, signal)
      : { kind: 'independent', heads: [reached.last] };
    const table = await options.table?.();
    return {
      kind: 'inspection',
      model,
      depth: proposer?.depth ?? 0,
      proposal: plain(proposal),
      recent: output.slice(-RECENT),
      ...(table && { table: partOf(table, proposal) }),
      tokens: idsOf(proposal, output).map(describe),
      healed,
      promptTail: promptTail([...prompt, ...output], format, tokenizer),
      promptTokens: prompt.length,
      reusedTokens: reused,
      ms: performance.now() - started,
    };
  };

  function promptOf({ place }: InspectRequest): { tokens: readonly number[]; healed: string } {
    if (place.kind === 'prompt') {
      const tokens = continuationPrompt(place.prompt, tokenizer, stepper.contextLength >> 1);
      return { tokens, healed: '' };
    }
    return cursorPrompt(place, format, tokenizer, stepper);
  }

  /** Feeds the tokens that bring back what was cut from the prompt; decisions begin behind them. */
  async function heal(first: RowPrediction, healed: string, signal: AbortSignal) {
    const healing = healed === '' ? undefined : healingOf(healed, tokenizer);
    const stopTokens = new Set(format.stop.flatMap((name) => tokenizer.control(name) ?? []));
    const healer = createHealer(healing, createChooser(), stopTokens);
    const tokens: number[] = [];
    let last = first;
    while (!healer.done) {
      signal.throwIfAborted();
      const ids = healer.next(last).choices.map(({ id }) => id);
      tokens.push(...ids);
      last = await feed(stepper, ids, signal);
    }
    return { tokens, last };
  }

  function describe(id: number): InspectedToken {
    const name = names.get(id);
    if (name !== undefined) return { id, kind: 'control', text: name };
    const bytes = tokenizer.bytes(id);
    if (bytes.length === 0) return { id, kind: 'control', text: '' };
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
      return { id, kind: 'text', text };
    } catch {
      return { id, kind: 'bytes', text: Buffer.from(bytes).toString('hex') };
    }
  }
}

function plain(proposal: Proposal): InspectedProposal {
  if (proposal.kind === 'independent') {
    return { kind: 'independent', heads: proposal.heads.map(plainCandidates) };
  }
  const chains = proposal.chains.map((chain) =>
    chain.map(({ id, candidates }) => ({ id, candidates: plainCandidates(candidates) })),
  );
  return { kind: 'chained', chains };
}

/** Masked candidates (−∞) are left out: JSON has no word for them. */
function plainCandidates({ ids, logits, logNormalizer }: Candidates) {
  const end = logits.findIndex((logit) => !Number.isFinite(logit));
  const length = end < 0 ? logits.length : end;
  return {
    ids: Array.from(ids.subarray(0, length)),
    logits: Array.from(logits.subarray(0, length)),
    logNormalizer,
  };
}

function idsOf(proposal: Proposal, output: readonly number[]): number[] {
  const heads =
    proposal.kind === 'independent'
      ? proposal.heads.map(({ ids }) => [...ids])
      : proposal.chains.flat().map(({ id, candidates }) => [id, ...candidates.ids]);
  return [...new Set([...heads.flat(), ...output.slice(-RECENT)])];
}
