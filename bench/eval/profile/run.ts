/** Profiles a model's steps, and its heads, at several contexts; a row is appended as soon as it is known. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HeadsSession } from '../../../src/engine/heads';
import { median } from '../../../src/engine/measure';
import type { ModelFiles } from '../../../src/engine/protocol';
import { TrunkSession } from '../../../src/engine/session';
import { environmentOf } from '../../environment';
import { measuredModel, placeIn } from '../../measured-model';
import { appendRow } from '../../results-file';
import { meanOf, middleHalf, profiledRuns, typicalRun } from './events';
import { keyOf, openResults, type ProfileHeader, type ProfileRow } from './results';

export interface ProfileRequest {
  /** Of the checkout. */
  readonly root: string;
  readonly out: string;
  readonly model: string;
  readonly threads: number;
  readonly quick: boolean;
  /** When nothing more is begun, on performance.now's clock. */
  readonly until: number;
  readonly onProgress: (row: ProfileRow) => void;
}

type Place = Pick<ProfileRow, 'part' | 'context' | 'rows'>;

const CONTEXTS = [128, 1024, 4096] as const;
const ROWS = [1, 3] as const;
const RUNS = 16;
/** More than a step has. */
const ROOM = 16;
/** Rows that heads catch up on at most in exact mode; here there is only one each time. */
const LATEST = 64;
/** Any ids that every vocabulary has: content does not change the cost. */
const TOKENS = [1, 2] as const;

/** Whether every place has its row. */
export async function measureProfile(request: ProfileRequest): Promise<boolean> {
  const { root, out, model: id, threads, quick, until } = request;
  const { files, version: model } = await measuredModel({
    ...placeIn(root),
    id,
    precision: 'int8',
  });
  const header: ProfileHeader = {
    ...{ kind: 'profile-run', version: 1, threads },
    model,
    environment: environmentOf(root),
  };
  const there = await openResults(out, header);
  for (const place of placesOf(files, quick)) {
    if (there.has(keyOf(place))) continue;
    if (performance.now() > until) return false;
    const row = await profileOf(files, place, threads);
    await appendRow(out, row);
    request.onProgress(row);
  }
  return true;
}

function placesOf({ contextLength, heads }: ModelFiles, quick: boolean): Place[] {
  const contexts = CONTEXTS.filter((each) => each + ROOM <= contextLength).slice(0, quick ? 1 : 3);
  return contexts.flatMap((context) => [
    ...ROWS.map((rows): Place => ({ part: 'trunk', context, rows })),
    ...(heads ? [{ part: 'heads', context, rows: 1 } as const] : []),
  ]);
}

async function profileOf(files: ModelFiles, place: Place, threads: number): Promise<ProfileRow> {
  const folder = await mkdtemp(join(tmpdir(), 'dynamo-profile-'));
  try {
    const plain = await timesOf(files, place, threads);
    const profiled = await timesOf(files, place, threads, join(folder, 'profile'));
    const [written] = await readdir(folder);
    if (written === undefined) throw new Error('ONNX Runtime wrote no profile.');
    const runs = profiledRuns(await readFile(join(folder, written), 'utf8')).slice(-RUNS);
    const { ms: runMs, operators } = typicalRun(runs);
    return {
      ...place,
      runs: runs.length,
      ms: median(plain),
      profiledMs: meanOf(middleHalf(profiled, (ms) => ms)),
      ...{ runMs, operators },
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Times of the last calls, each of which is one run of the session.
 *
 * @param profile where that session writes its profile when it is closed
 */
async function timesOf(
  files: ModelFiles,
  { part, context, rows }: Place,
  threads: number,
  profile?: string,
): Promise<number[]> {
  const { signal } = new AbortController();
  const options = { threads, contextLength: context + ROOM };
  const profiled = { ...options, ...(profile !== undefined && { profile }) };
  const trunk = await TrunkSession.open(files, {
    ...(part === 'trunk' ? profiled : options),
    keepStems: files.heads !== undefined,
  });
  const heads =
    part === 'heads' && files.heads
      ? await HeadsSession.open(files.heads.graph, files.heads, trunk, profiled)
      : undefined;
  try {
    await trunk.prefill(
      Array.from({ length: context }, (_, i) => TOKENS[i % 2] ?? 1),
      signal,
    );
    const fed = Array.from({ length: rows }, () => TOKENS[0]);
    const times: number[] = [];
    // The first one warms up and does not count.
    for (let run = 0; run <= RUNS; run++) {
      const started = performance.now();
      if (heads) await heads.propose(TOKENS[0], signal, LATEST);
      else await trunk.step(fed, signal);
      if (run > 0) times.push(performance.now() - started);
      trunk.rewind(context);
    }
    return times;
  } finally {
    await heads?.close();
    await trunk.close();
  }
}
