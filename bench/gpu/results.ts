/** The results file of this bench: what was run on which device, then one row for each thing measured. */
import { z } from 'zod';
import { environmentSchema } from '../environment';
import { differingSetUp, resultsFile, type Results as ResultsOf } from '../results-file';
import { outcomeSchema } from '../steps/results';

const header = z.object({
  kind: z.literal('gpu-run'),
  version: z.literal(1),
  provider: z.enum(['cpu', 'cuda', 'dml']),
  device: z.number(),
  /** The device's name and driver, as its driver tells them; null where nothing does. */
  deviceName: z.string().nullable(),
  quick: z.boolean(),
  environment: environmentSchema,
});

/** `gpu`: the fp16 graphs on the provider. `cpu`: those that it is compared with. */
const side = z.enum(['gpu', 'cpu']);

const speed = z.object({
  part: z.literal('speed'),
  model: z.string(),
  side,
  precision: z.string(),
  context: z.number(),
  loadMs: z.number(),
  /** ms a token. */
  prefillMs: z.number(),
  /** ms a step of 1, 2, … rows. */
  stepMs: z.array(z.number()),
  memory: z.object({
    /** Of the engine's process, MB; null where the system does not tell. */
    resident: z.number().nullable(),
    /** Used on the device, MB more than before the model was loaded; null likewise. */
    device: z.number().nullable(),
  }),
});

const modes = z.object({
  part: z.literal('modes'),
  model: z.string(),
  id: z.string(),
  /** By the notation of bench/steps. */
  modes: z.record(z.string(), outcomeSchema),
});

const text = z.object({
  part: z.literal('text'),
  model: z.string(),
  side,
  precision: z.string(),
  id: z.string(),
  text: z.string(),
  tokens: z.number(),
});

const peer = z.object({
  part: z.literal('peer'),
  model: z.string(),
  context: z.number(),
  prefillMs: z.number(),
  stepMs: z.array(z.number()),
  /** Version and device, as PyTorch tells them. */
  torch: z.string(),
  memory: z.number().nullable(),
});

const row = z.discriminatedUnion('part', [speed, modes, text, peer]);

export type RunHeader = z.infer<typeof header>;
export type Row = z.infer<typeof row>;
export type SpeedRow = z.infer<typeof speed>;
export type PeerRow = z.infer<typeof peer>;
export type Side = z.infer<typeof side>;
export type Results = ResultsOf<RunHeader, Row>;

export function keyOf(of: Row): string {
  switch (of.part) {
    case 'speed':
      return `speed ${of.model} ${of.side} ${of.context}`;
    case 'modes':
      return `modes ${of.model} ${of.id}`;
    case 'text':
      return `text ${of.model} ${of.side} ${of.id}`;
    case 'peer':
      return `peer ${of.model} ${of.context}`;
  }
}

export const { parseResults, readResults, openResults } = resultsFile<RunHeader, Row>({
  bench: 'this bench',
  header,
  row,
  keyOf,
  madeOtherwise: differingSetUp,
});
