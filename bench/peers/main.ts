/**
 * Our engine beside llama.cpp (node-llama-cpp) on the same GGUF file, both with as many threads, in
 * one run: they take turns at every context, round by round, so that a machine whose speed drifts
 * treats them alike. Each round is written down when it is measured, and a run goes on where another
 * one stopped.
 */
import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { table, type Align } from '../../src/cli/table';
import { findModel, readCatalog } from '../../src/models/catalog';
import { installModel } from '../../src/models/install';
import { dataDirectory } from '../../src/models/paths';
import { obtainModelFile } from '../../src/models/source';
import { appendRow } from '../results-file';
import { openResults, readResults, rowKey, type Row } from './results';
import { ours, peer, type Side } from './sides';
import { summaries, type Summary } from './summary';

/** Contexts, and how often each is measured: a long prefill takes the peer half a minute. */
const PLAN = [
  { context: 128, rounds: 7 },
  { context: 1024, rounds: 3 },
  { context: 4096, rounds: 2 },
];
/** For trying the bench itself out. */
const QUICK = [{ context: 128, rounds: 1 }];
const REPEATS = 12;
const CONTEXT_LENGTH = 4352;
const MODELS = ['qwen2.5-coder-0.5b', 'smollm2-135m'];
const USAGE = `npm run bench -- --peers [--model ID] [--gguf ID=FILE] [--peer-gguf FILE] [--out FILE] [--minutes N]
  --model ID         one model of the catalogue; both ${MODELS.join(' and ')} when absent
  --gguf ID=FILE     the model's own GGUF file, when it is on this machine; repeatable
  --peer-gguf FILE   another quantisation of the model for the peer alone (with --model)
  --threads N        2 when absent
  --minutes N        begins no round after so long; the same command goes on from there
  --quick            one short context once, to try the bench out
  --out FILE         the rounds, a line each; out/peers.jsonl when absent
  --summary          only shows what is in that file`;

export async function main(args: readonly string[], folder: string): Promise<number> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      model: text,
      gguf: { type: 'string', multiple: true },
      'peer-gguf': text,
      threads: text,
      out: text,
      minutes: text,
      quick: { type: 'boolean', default: false },
      summary: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const [threads, minutes] = [Number(values.threads ?? 2), Number(values.minutes ?? Infinity)];
  const peerFile = values['peer-gguf'];
  const unclear = peerFile !== undefined && values.model === undefined;
  if (unclear || !(threads >= 1) || !(minutes > 0)) {
    console.error(USAGE);
    return 2;
  }
  const out = resolve(values.out ?? join(folder, '../../out/peers.jsonl'));
  let whole = true;
  if (!values.summary) {
    const files = new Map((values.gguf ?? []).map(splitPair));
    const until = performance.now() + 60_000 * minutes;
    mkdirSync(dirname(out), { recursive: true });
    const processor = cpus()[0]?.model ?? 'unknown';
    const done = await openResults(out, { kind: 'peers-run', version: 1, threads, processor });
    const plan = values.quick ? QUICK : PLAN;
    for (const model of values.model === undefined ? MODELS : [values.model]) {
      const missing = plan
        .flatMap(({ context, rounds }) =>
          Array.from({ length: rounds }, (_, round) => ({ context, round })),
        )
        .map((part) => ({
          model,
          peer: peerFile === undefined ? 'same' : basename(peerFile),
          ...part,
        }))
        .filter((part) => !done.has(rowKey(part)));
      if (missing.length === 0) continue;
      const file = files.get(model);
      const write = (row: Row): Promise<void> => appendRow(out, row);
      const comparison = { folder, file, peerFile, threads, missing, until, write };
      whole = (await compare(model, comparison)) && whole;
    }
  }
  const { rows, header } = await readResults(out);
  for (const result of summaries([...rows.values()])) console.log(present(result, header.threads));
  console.log(`Raw figures: ${out}`);
  if (!whole) console.log('There is more to measure: run the same command again.');
  return 0;
}

interface Comparison {
  readonly folder: string;
  /** The model's GGUF file, if it is here. */
  readonly file: string | undefined;
  /** What the peer loads instead of it. */
  readonly peerFile: string | undefined;
  readonly threads: number;
  readonly missing: readonly Omit<Row, 'ours' | 'theirs'>[];
  /** When no more rounds are begun, on performance.now's clock. */
  readonly until: number;
  readonly write: (row: Row) => Promise<void>;
}

/** Whether all that was missing is measured. */
async function compare(id: string, comparison: Comparison): Promise<boolean> {
  const { folder, file, peerFile, threads, missing, until, write } = comparison;
  const root = join(folder, '../..');
  const suite = join(root, 'models');
  const home = dataDirectory();
  const entry = findModel(await readCatalog(suite), id);
  // Checks the file against the catalogue's hash, or downloads it; it stays for the next time.
  const source = await obtainModelFile({ home, entry, from: file, onProgress: () => undefined });
  const place = { suite, home, id, precision: 'int8' } as const;
  const model = await installModel({ ...place, from: source.path });

  const options = { threads, contextLength: CONTEXT_LENGTH };
  const first = ours(join(root, 'dist', 'worker.js'), model, options);
  const second = peer(folder, peerFile === undefined ? source.path : resolve(peerFile), options);
  try {
    const loadMs = { ours: await first.load(), theirs: await second.load() };
    for (const part of missing) {
      if (performance.now() > until) return false;
      const left = { loadMs: loadMs.ours, ...(await measure(first, part.context)) };
      const right = { loadMs: loadMs.theirs, ...(await measure(second, part.context)) };
      await write({ ...part, ours: left, theirs: right });
    }
    return true;
  } finally {
    await Promise.all([first.close(), second.close()]);
  }
}

async function measure(side: Side, context: number) {
  const measured = await side.measure(context, REPEATS);
  return { ...measured, memory: side.memory() };
}

function splitPair(pair: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw new Error(`--gguf takes ID=FILE, not ${pair}.`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function present({ model, peer, lines }: Summary, threads: number): string {
  const numbers: Align[] = ['left', 'right', 'right', 'right', 'right', 'right'];
  const rows = lines.map(({ what, unit, ours, theirs, ratio }) => [
    `${what}${unit === '' ? '' : `, ${unit}`}`,
    figure(ours.median),
    figure(ours.least),
    theirs ? figure(theirs.median) : '',
    theirs ? figure(theirs.least) : '',
    `${ratio.toFixed(2)} ×`,
  ]);
  const heading = ['', 'DynaMo', 'least', 'llama.cpp', 'least', 'ratio'];
  const against = peer === 'same' ? 'the same file' : peer;
  return [
    `${model}, llama.cpp with ${against}, ${threads} threads; medians, the least of all, and the ratio of the medians\n`,
    table([heading, ...rows], { align: numbers }),
  ].join('\n');
}

const figure = (value: number): string => value.toFixed(value < 100 ? 2 : 0);
