/** Rows of the peer bench's file, and a folder to write it in. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Loaded } from '../../../bench/peers/loaded';
import type { Header, LoadRow, RoundRow } from '../../../bench/peers/results';

export const HEADER: Header = {
  ...{ kind: 'peers-run', version: 1, threads: 2, processor: 'one', peer: '3.22.1' },
  environment: {
    ...{ processor: 'one', cores: 2, memoryGigabytes: 8, system: 'Linux', node: '20' },
    ...{ onnxruntime: '1', version: '0.1.0', commit: null, vectorExtensions: ['avx2'] },
  },
};
const told = HEADER.environment;
assert.ok(told);
export const environment = told;

export const LOADED: Loaded = {
  model: {
    ...{ id: 'm', precision: 'int8', trunkSha256: 't' },
    ...{ heads: 'shared', headsSha256: 'h', rows: 4 },
  },
  peerSha256: 'p',
};

export function side(prefillMs: number, stepMs: readonly number[], resident: number) {
  return { prefillMs, stepMs, memory: { resident, peak: 2 * resident } };
}

export function row(context: number, round: number, more: Partial<RoundRow> = {}): RoundRow {
  return {
    ...{ model: 'm', peer: 'same', context, round, loaded: LOADED },
    ours: { ...side(1, [10, 12, 14 + round], 500e6 + context), threeRowsMs: [15, 16, 17] },
    theirs: side(4, [20, 30, 100], 1000e6),
    ...more,
  };
}

export const loadRow = (load: number, ours: number, theirs: number): LoadRow => ({
  ...{ model: 'm', peer: 'same', load, first: load % 2 === 0 ? 'ours' : 'theirs', loaded: LOADED },
  ...{ ours: { loadMs: ours }, theirs: { loadMs: theirs } },
});

export async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'dynamo-peers-'));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
