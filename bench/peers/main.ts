/**
 * Our engine beside llama.cpp (node-llama-cpp) on the same GGUF file, both with as many threads, in
 * one run. What is measured is written down at once, and a run goes on where another one stopped.
 */
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parse, tell, UsageError, whole } from '../command-line';
import type { Comparison } from './comparison';
import { describeFile, measureCompletions } from './completions';
import { describeRounds, measureRounds } from './rounds';

const MODELS = ['qwen2.5-coder-0.5b', 'smollm2-135m'];
const USAGE = `npm run bench -- --peers [--completions] [--model ID] [--gguf ID=FILE] [--peer-gguf FILE] [--out FILE]
  --completions      whole completions instead of prefills and single steps
  --model ID         one model of the catalogue; both ${MODELS.join(' and ')} when absent
  --gguf ID=FILE     the model's own GGUF file, when it is on this machine; repeatable
  --peer-gguf FILE   another quantisation of the model for the peer alone (with --model)
  --draft-gguf FILE  a smaller model with the same tokens that the peer may draft with (with --completions)
  --threads N        2 when absent
  --minutes N        begins nothing after so long; the same command goes on from there
  --quick            a short context alone, to try the bench out
  --out FILE         what was measured, a line each; out/peers.jsonl or out/peers-completions.jsonl when absent
  --summary          only shows what is in that file`;

export async function main(args: readonly string[], folder: string): Promise<number> {
  try {
    await compare(args, folder);
    return 0;
  } catch (error) {
    return tell(error, USAGE);
  }
}

async function compare(args: readonly string[], folder: string): Promise<void> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values, positionals } = parse(args, {
    ...{ completions: flag, quick: flag, summary: flag, help: flag },
    ...{ model: text, 'peer-gguf': text, 'draft-gguf': text, out: text, minutes: text },
    gguf: { type: 'string', multiple: true },
    threads: { type: 'string', default: '2' },
  });
  if (values.help) return console.log(USAGE);
  if (positionals.length > 0) throw new UsageError(`Unexpected ${positionals.join(' ')}.`);
  const { completions, quick, model, 'peer-gguf': peerFile, 'draft-gguf': draftFile } = values;
  if ((peerFile ?? draftFile) !== undefined && model === undefined) {
    throw new UsageError('--peer-gguf and --draft-gguf need --model.');
  }
  if (draftFile !== undefined && !completions) {
    throw new UsageError('--draft-gguf needs --completions.');
  }
  const minutes = Number(values.minutes ?? Infinity);
  if (!(minutes > 0)) throw new UsageError('--minutes takes a number above 0.');
  const name = completions ? 'peers-completions' : 'peers';
  const comparison: Comparison = {
    ...{ folder, peerFile, draftFile, quick },
    threads: whole('--threads', values.threads),
    out: resolve(values.out ?? join(folder, '../../out', `${name}.jsonl`)),
    models: model === undefined ? MODELS : [model],
    files: new Map((values.gguf ?? []).map(splitPair)),
    until: performance.now() + 60_000 * minutes,
  };
  const { out } = comparison;
  let done = true;
  if (!values.summary) {
    await mkdir(dirname(out), { recursive: true });
    done = await (completions ? measureCompletions(comparison) : measureRounds(comparison));
  }
  console.log(await (completions ? describeFile(out) : describeRounds(out)));
  console.log(`Raw figures: ${out}`);
  if (!done) console.log('There is more to measure: run the same command again.');
}

function splitPair(pair: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw new UsageError(`--gguf takes ID=FILE, not ${pair}.`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}
