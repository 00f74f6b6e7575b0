/** What tests of the report have in common: a model as it is shipped, a run of it, and no evidence. */
import type { Evidence } from '../../../../bench/eval/load';
import type { Shipped } from '../../../../bench/eval/shipped';
import type { RunHeader } from '../../../../bench/steps/results';

export const SHIPPED: readonly Shipped[] = [
  {
    ...{ id: 'm', heads: 'shared', trained: { shared: 'trained', independent: 'others' } },
    ...{ trunks: { int8: 'trunk' }, calibrated: false },
  },
];

/** Of the weights that are shipped. */
export const HEADER: RunHeader = {
  ...{ kind: 'steps-run', version: 1, model: 'm', precision: 'int8', heads: 'shared' },
  ...{ headsSha256: 'trained', trunkSha256: 'trunk', modes: [], maxTokens: 64, threads: 2 },
};

/** The same of rows of bench/peers. */
export const VERSION = {
  ...{ id: 'm', precision: 'int8', trunkSha256: 'trunk', heads: 'shared' },
  headsSha256: 'trained',
};

export const NOTHING: Evidence = {
  ...{ runs: [], peers: [], completions: [], judges: [], infilling: [], heads: [], profiles: [] },
  ...{ refused: [], files: [] },
};
