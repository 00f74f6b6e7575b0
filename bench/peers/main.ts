/**
 * Our engine beside llama.cpp (node-llama-cpp) on the same GGUF file, both with as many threads, in
 * one run: they take turns at every context, round by round, so that a machine whose speed drifts
 * treats them alike.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { table, type Align } from '../../src/cli/table';
import { findModel, readCatalog } from '../../src/models/catalog';
import { installModel } from '../../src/models/install';
import { dataDirectory } from '../../src/models/paths';
import { obtainModelFile } from '../../src/models/source';
import { summary, type Outcome, type Summary } from './summary';
import { ours, peer, type Side } from './sides';

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
const USAGE = `npm run bench -- --peers [--model ID] [--gguf ID=FILE] [--peer-gguf FILE] [--out FILE]
  --model ID         one model of the catalogue; both ${MODELS.join(' and ')} when absent
  --gguf ID=FILE     the model's own GGUF file, when it is on this machine; repeatable
  --peer-gguf FILE   another quantisation of the model for the peer alone (with --model)
  --threads N        2 when absent
  --quick            one short context once, to try the bench out
  --out FILE         where the raw figures go; out/peers.json when absent`;

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
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values['peer-gguf'] !== undefined && values.model === undefined) {
    console.error(USAGE);
    return 2;
  }
  const files = new Map((values.gguf ?? []).map(splitPair));
  const plan = values.quick ? QUICK : PLAN;
  const threads = Number(values.threads ?? 2);
  const results: Summary[] = [];
  for (const id of values.model === undefined ? MODELS : [values.model]) {
    const peerFile = values['peer-gguf'];
    const outcomes = await compare({ folder, id, file: files.get(id), peerFile, threads, plan });
    const result = summary(id, threads, outcomes);
    results.push(result);
    console.log(present(result));
  }
  const out = resolve(values.out ?? join(folder, '../../out/peers.json'));
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, `${JSON.stringify({ results }, null, 1)}\n`);
  console.log(`Raw figures: ${out}`);
  return 0;
}

interface Comparison {
  readonly folder: string;
  readonly id: string;
  /** The model's GGUF file, if it is here. */
  readonly file: string | undefined;
  /** What the peer loads instead of it. */
  readonly peerFile: string | undefined;
  readonly threads: number;
  readonly plan: typeof PLAN;
}

async function compare(comparison: Comparison): Promise<Outcome[]> {
  const { folder, id, file, peerFile, threads, plan } = comparison;
  const root = join(folder, '../..');
  const suite = join(root, 'models');
  const home = dataDirectory();
  const entry = findModel(await readCatalog(suite), id);
  // Checks the file against the catalogue's hash, or downloads it; it stays for the next time.
  const source = await obtainModelFile({ home, entry, from: file, onProgress: () => undefined });
  const place = { suite, home, id, precision: 'int8' } as const;
  const model = await installModel({ ...place, from: source.path });

  const options = { threads, contextLength: CONTEXT_LENGTH };
  const sides = [
    ours(join(root, 'dist', 'worker.js'), model, options),
    peer(folder, peerFile === undefined ? source.path : resolve(peerFile), options),
  ];
  try {
    const outcomes: Outcome[] = [];
    for (const side of sides) {
      outcomes.push({
        name: side.name,
        loadMs: await side.load(),
        contexts: [],
        memory: undefined,
      });
    }
    for (const { context, rounds } of plan) {
      for (let round = 0; round < rounds; round++) {
        for (const [i, side] of sides.entries()) await measure(side, context, outcomes[i]);
      }
    }
    return outcomes.map((outcome, i) => ({ ...outcome, memory: sides[i]?.memory() }));
  } finally {
    await Promise.all(sides.map((side) => side.close()));
  }
}

async function measure(side: Side, context: number, outcome: Outcome | undefined): Promise<void> {
  const measured = await side.measure(context, REPEATS);
  outcome?.contexts.push({ context, ...measured });
}

function splitPair(pair: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw new Error(`--gguf takes ID=FILE, not ${pair}.`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function present({ model, threads, lines }: Summary): string {
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
  return [
    `${model}, ${threads} threads; medians, the least of all, and the ratio of the medians\n`,
    table([heading, ...rows], { align: numbers }),
  ].join('\n');
}

const figure = (value: number): string => value.toFixed(value < 100 ? 2 : 0);
