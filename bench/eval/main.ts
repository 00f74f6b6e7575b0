/** The command line of the evidence; README.md beside it describes its use. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { readCatalog } from '../../src/models/catalog';
import { checkCurve } from '../../src/models/threshold-curve';
import { oneOf, parse, tell, UsageError, whole } from '../command-line';
import { curveOf } from '../steps/curve';
import { readResults as readSteps } from '../steps/results';
import { calibrationOf } from './calibrate';
import { loadEvidence, loadRun, RAW_FOLDERS } from './load';
import { PARTS, planOf } from './plan';
import { reportOf } from './report';
import { runJobs, type JudgeChoice, type PeerGgufs } from './run';
import { shippedModels } from './shipped';

const USAGE = `npm run eval -- [OPTIONS]                  measures, resumable: the same command goes on
npm run eval -- report [FOLDER...] [--out FILE]  bench/REPORT.md from raw results
npm run eval -- calibrate OWN CURVE              models/ID/thresholds.json: default of OWN's places, curve of CURVE's
  --quick            a sample of everything, for the default model: a quarter of an hour on two slow cores
  --part NAME        one part: ${PARTS.join(', ')}; repeatable
  --model ID         one model of the catalogue; repeatable
  --run NAME         one run, as --list names it; repeatable
  --out FOLDER       of the results; out/eval when absent, out/eval-quick with --quick
  --threads N        2 when absent
  --minutes N        begins nothing after so long
  --judge URL        an OpenAI-compatible endpoint (…/v1); the texts to judge are sent there
  --judge-model NAME what to ask it for; without --judge, a model of the catalogue
  --judge-key NAME   environment variable with its key
  --judgements N     at most so many; 400 when absent
  --gguf ID=FILE     for peers: a model's own GGUF file, when it is on this machine; repeatable
  --peer-gguf ID=FILE  another quantisation for llama.cpp alone; repeatable
  --draft-gguf ID=FILE a smaller model that llama.cpp may draft with; repeatable
  --list             only shows what would be run`;

async function measure(args: readonly string[], root: string, prepare: () => void): Promise<void> {
  const { values, positionals } = parse(args, {
    quick: { type: 'boolean', default: false },
    part: { type: 'string', multiple: true },
    model: { type: 'string', multiple: true },
    run: { type: 'string', multiple: true },
    out: { type: 'string' },
    threads: { type: 'string', default: '2' },
    minutes: { type: 'string' },
    judge: { type: 'string' },
    'judge-model': { type: 'string' },
    'judge-key': { type: 'string' },
    judgements: { type: 'string' },
    gguf: { type: 'string', multiple: true },
    'peer-gguf': { type: 'string', multiple: true },
    'draft-gguf': { type: 'string', multiple: true },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  });
  if (values.help) return console.log(USAGE);
  if (positionals.length > 0) throw new UsageError(`Unexpected ${positionals.join(' ')}.`);
  const { quick } = values;
  const parts = values.part?.map((part) => oneOf('--part', part, PARTS));
  const threads = whole('--threads', values.threads);
  const minutes = Number(values.minutes ?? Infinity);
  if (!(minutes > 0)) throw new UsageError('--minutes takes a number above 0.');
  const catalog = await readCatalog(join(root, 'models'));
  const wanted = values.model ?? (quick ? [catalog.default] : catalog.models.map(({ id }) => id));
  const unknown = wanted.find((id) => !catalog.models.some((model) => model.id === id));
  if (unknown !== undefined) throw new UsageError(`The catalogue has no model "${unknown}".`);
  const models = catalog.models.filter(({ id }) => wanted.includes(id));
  const planned = planOf({ models, main: catalog.default, quick }).filter(
    ({ part }) => parts === undefined || parts.includes(part),
  );
  const { run: runs } = values;
  const unplanned = runs?.find((run) => !planned.some(({ name }) => name === run));
  if (unplanned !== undefined) throw new UsageError(`--list shows no run "${unplanned}".`);
  const jobs = planned.filter(({ name }) => runs === undefined || runs.includes(name));
  const judge = judgeOf(values);
  const ggufs = ggufsOf(values, wanted);
  if (values.list) {
    for (const job of jobs) {
      const { name, type } = job;
      if (type !== 'steps') console.log(name);
      else {
        const tasks = Number.isFinite(job.count) ? String(job.count) : 'all';
        const few = job.sampled
          ? ` · ${job.sampled.modes.join(' ')} on ${job.sampled.count} of them`
          : '';
        console.log(`${name} · ${tasks} tasks · ${job.modes.join(' ')}${few}`);
      }
    }
    return;
  }
  const folder = resolve(values.out ?? join(root, quick ? 'out/eval-quick' : 'out/eval'));
  const until = performance.now() + 60_000 * minutes;
  prepare();
  const done = await runJobs(jobs, { root, folder, threads, until, judge, ggufs });
  console.log(`Raw results: ${folder}. The report of them: npm run eval -- report ${folder}`);
  if (!done) console.log('There is more to measure: run the same command again.');
}

interface JudgeFlags {
  readonly judge?: string | undefined;
  readonly 'judge-model'?: string | undefined;
  readonly 'judge-key'?: string | undefined;
  readonly judgements?: string | undefined;
}

function judgeOf({
  judge: url,
  'judge-model': model,
  'judge-key': key,
  judgements: most,
}: JudgeFlags): JudgeChoice {
  const judgements = most === undefined ? undefined : whole('--judgements', most);
  if (url === undefined) return { model, judgements };
  if (!URL.canParse(url) || !/^https?:/.test(url)) throw new UsageError('--judge takes a URL.');
  if (model === undefined) throw new UsageError('--judge needs --judge-model NAME.');
  const secret = key === undefined ? undefined : process.env[key];
  if (key !== undefined && !secret) throw new UsageError(`The variable ${key} is empty.`);
  return { endpoint: { url, key: secret }, model, judgements };
}

interface GgufFlags {
  readonly gguf?: readonly string[] | undefined;
  readonly 'peer-gguf'?: readonly string[] | undefined;
  readonly 'draft-gguf'?: readonly string[] | undefined;
}

/** @throws {UsageError} for a file that is of no model that is measured */
function ggufsOf(flags: GgufFlags, models: readonly string[]): PeerGgufs {
  const pairs = (name: keyof GgufFlags) =>
    (flags[name] ?? []).map((pair): [string, string] => {
      const at = pair.indexOf('=');
      const [id, file] = [pair.slice(0, at), pair.slice(at + 1)];
      if (at < 1 || file === '') throw new UsageError(`--${name} takes ID=FILE, not ${pair}.`);
      if (!models.includes(id)) throw new UsageError(`--${name}: ${id} is not measured.`);
      return [id, resolve(file)];
    });
  const peers = new Map<string, string[]>();
  for (const [id, file] of pairs('peer-gguf')) peers.set(id, [...(peers.get(id) ?? []), file]);
  return { own: new Map(pairs('gguf')), peers, drafting: new Map(pairs('draft-gguf')) };
}

async function report(args: readonly string[], root: string): Promise<void> {
  const { values, positionals } = parse(args, { out: { type: 'string' } });
  const folders = positionals.length > 0 ? positionals.map((each) => resolve(each)) : RAW_FOLDERS;
  const evidence = await loadEvidence(root, folders);
  if (evidence.files.length === 0)
    throw new Error(`There are no raw results in ${folders.join(', ')}.`);
  for (const why of evidence.refused) process.stderr.write(`Not scored. ${why}\n`);
  const { markdown, plots } = reportOf(evidence, await shippedModels(root));
  const out = resolve(values.out ?? join(root, 'bench/REPORT.md'));
  const drawn = join(dirname(out), 'plots');
  await mkdir(drawn, { recursive: true });
  for (const name of await readdir(drawn)) {
    if (name.endsWith('.svg') && !plots.has(name)) await rm(join(drawn, name));
  }
  await writeFile(out, markdown);
  for (const [name, content] of plots) await writeFile(join(drawn, name), content);
  console.log(`${out}: from ${evidence.files.length} raw files, ${plots.size} plots`);
}

async function calibrate(args: readonly string[], root: string): Promise<void> {
  const { values, positionals } = parse(args, { out: { type: 'string' } });
  const [own, curve] = positionals.map((each) => resolve(each));
  if (own === undefined || curve === undefined || positionals.length > 2) {
    throw new UsageError('calibrate takes a results file of own places and one of the curve.');
  }
  const made = curveOf(await readSteps(curve), basename(curve));
  const run = await loadRun(own, root);
  if (run.header.model !== made.model || run.header.headsSha256 !== made.headsSha256) {
    throw new Error(`${own} and ${curve} are not of the same heads.`);
  }
  const calibrated = calibrationOf(run);
  const out = resolve(values.out ?? join(root, 'models', made.model, 'thresholds.json'));
  await writeFile(out, `${JSON.stringify(checkCurve({ ...made, calibrated }), null, 2)}\n`);
  const { epsilon, rows, tasks } = calibrated;
  console.log(`${out}: ε_b ${epsilon}, ${rows} rows a step at most, chosen on ${tasks} places`);
}

/**
 * @param root of the checkout
 * @param prepare called before anything is measured, once the flags are known to be sound
 */
export async function main(
  argv: readonly string[],
  root: string,
  prepare: () => void,
): Promise<number> {
  const [name, ...args] = argv;
  try {
    if (name === 'report') await report(args, root);
    else if (name === 'calibrate') await calibrate(args, root);
    else await measure(argv, root, prepare);
    return 0;
  } catch (error) {
    return tell(error, USAGE);
  }
}
