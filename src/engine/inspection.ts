/**
 * The shape of an inspection: what base and heads say at one place, with everything that is needed to
 * compute the joint distribution and its thresholds without the model. Plain JSON values.
 *
 * The engine sends it, the threshold view reads it, and both check it. Nothing but its shape is here.
 */
import { z } from 'zod';

/** Sizes that both sides hold to. */
export const INSPECTION_LIMITS = {
  /** First tokens that a chain of heads is followed for. */
  chains: 16,
  /** Tokens of a chain, or heads. */
  tokens: 8,
  /** Candidates of a head. */
  candidates: 256,
} as const;

const count = z.int().min(0);
const tokenId = z.int().min(0).max(0x7fffffff);
const share = z.number().min(0).max(1);
const lift = z.number().min(0);

const candidates = z
  .strictObject({
    /** Likeliest first. */
    ids: z.array(tokenId).min(1).max(INSPECTION_LIMITS.candidates),
    /** In the same order. */
    logits: z.array(z.number()).min(1).max(INSPECTION_LIMITS.candidates),
    /** exp(logit - logNormalizer) is a candidate's probability at temperature 1. */
    logNormalizer: z.number(),
  })
  .refine(({ ids, logits }) => ids.length === logits.length, 'a logit for each id');

const link = z.strictObject({ id: tokenId, candidates });

/** See decoding/proposal.ts. Without heads: one independent head, the base. */
const proposal = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('independent'),
    heads: z.array(candidates).min(1).max(INSPECTION_LIMITS.tokens),
  }),
  z.strictObject({
    kind: z.literal('chained'),
    chains: z
      .array(z.array(link).min(1).max(INSPECTION_LIMITS.tokens))
      .min(1)
      .max(INSPECTION_LIMITS.chains),
  }),
]);

/** See decoding/cooccurrence-part.ts. */
const table = z.strictObject({
  resolution: share,
  unigrams: z
    .array(z.tuple([tokenId, share]).readonly())
    .max(4_096)
    .readonly(),
  pairs: z
    .array(z.tuple([tokenId, tokenId, lift]).readonly())
    .max(100_000)
    .readonly(),
  triples: z
    .array(z.tuple([tokenId, tokenId, tokenId, lift]).readonly())
    .max(500_000)
    .readonly(),
});

const token = z.strictObject({
  id: tokenId,
  /** `text`: what the token writes; `bytes`: part of a character, in hexadecimal; `control`: its name. */
  kind: z.enum(['text', 'bytes', 'control']),
  text: z.string().max(10_000),
});

export const inspectionSchema = z.strictObject({
  kind: z.literal('inspection'),
  model: z.string().min(1).max(200),
  /** Tokens that the heads propose behind the base's own one; 0 when there are none. */
  depth: z.int().min(0).max(INSPECTION_LIMITS.tokens),
  proposal,
  /** Latest tokens of the output, the last one last: what the repetition penalty looks at. */
  recent: z.array(tokenId).max(1_024),
  /** The part of the co-occurrence table that J asks for; absent without one. */
  table: table.exactOptional(),
  /** Every id above, once. */
  tokens: z.array(token).max(65_536),
  /** Text that stands at the cursor and that the first tokens had to bring back; often ''. */
  healed: z.string().max(10_000),
  /** The end of what the model saw, for people to read. */
  promptTail: z.string().max(2_000),
  promptTokens: count,
  reusedTokens: count,
  ms: z.number().min(0).max(86_400_000),
});

export type Inspection = z.infer<typeof inspectionSchema>;
export type InspectedProposal = z.infer<typeof proposal>;
export type InspectedToken = z.infer<typeof token>;
