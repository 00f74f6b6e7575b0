/**
 * `dynamo bench`: how fast this machine decodes with this model. Modes take turns on the same
 * prompts, so that a machine whose speed drifts treats them alike; medians are reported.
 */
import type { DecodeMode, GenerationResult } from '../engine/protocol';
import { CommandLineEngine, type ProviderReport } from './engine';
import { median } from './median';
import { measureNextKey, type NextKey } from './next-key';
import { decodingOf, engineChoice, engineFlags, parse } from './options';
import { providerLine } from './present';
import { describeSteps, stepFigures } from './step-figures';
import { table, type Align } from './table';
import { screenOf } from './terminal';
import { UsageError } from './usage';

const ROUNDS = 3;
const MAX_TOKENS = 64;
const CONTEXTS = [128, 1024];

const PROMPTS = [
  'def binary_search(values: list[int], wanted: int) -> int:\n    """Index of `wanted` in sorted values, or -1."""\n',
  'export function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {\n',
  'func ReadLines(path string) ([]string, error) {\n',
];

interface Decoding {
  readonly mode: DecodeMode;
  readonly ran: DecodeMode;
  readonly tokensPerSecond: number;
  readonly tokensPerStep: number;
  readonly firstTokenMs: number;
  /** Speed against plain decoding on the same prompts in the same run. */
  readonly speedUp: number;
  readonly steps: ReturnType<typeof stepFigures>;
}

export async function bench(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args, engineFlags);
  if (positionals.length > 0) throw new UsageError('bench takes options only.');
  const choice = engineChoice(values);
  const modes: DecodeMode[] = choice.mode === 'ar' ? ['ar'] : ['ar', choice.mode];
  const maxTokens = choice.maxTokens ?? MAX_TOKENS;
  if (maxTokens < 2)
    throw new UsageError('bench needs --max-tokens 2 or more: the first token is not timed.');
  const session = new CommandLineEngine(choice);
  try {
    const info = await session.load(choice.model, choice.heads);
    const results = new Map<DecodeMode, GenerationResult[]>(modes.map((mode) => [mode, []]));
    for (let round = 0; round <= ROUNDS; round++) {
      for (const mode of modes) {
        // A prompt never follows itself: its rows would still be in the cache.
        for (const prompt of PROMPTS) {
          const request = { prompt, chat: false, maxTokens, ...decodingOf({ ...choice, mode }) };
          const result = await session.engine.generate(request);
          const decoded = result.steps.some(({ rows }) => rows > 0);
          if (round > 0 && decoded) results.get(mode)?.push(result); // The first round warms up.
        }
      }
    }
    if ([...results.values()].some((ofMode) => ofMode.length === 0)) {
      throw new Error('Nothing was decoded: the model ends every prompt at once.');
    }
    const plain = tokensPerSecond(results.get('ar') ?? []);
    const decoding = modes.map((mode): Decoding => {
      const ofMode = results.get(mode) ?? [];
      return {
        mode,
        ran: ofMode[0]?.mode ?? mode,
        tokensPerSecond: tokensPerSecond(ofMode),
        tokensPerStep: median(ofMode.map(({ tokens, steps }) => tokens / steps.length)),
        firstTokenMs: median(ofMode.map(({ prefillMs }) => prefillMs)),
        speedUp: tokensPerSecond(ofMode) / plain,
        steps: stepFigures(ofMode.flatMap(({ steps }) => steps)),
      };
    });
    const rows = [];
    for (const context of CONTEXTS) {
      rows.push(await session.engine.measure({ rows: 8, context, repeats: 15 }));
    }
    const nextKey = await measureNextKey(session.engine);
    const report = {
      model: info.id,
      precision: info.precision,
      provider: session.provider,
      loadMs: info.loadMs,
      decoding,
      rows,
      nextKey,
    };
    process.stdout.write(choice.json ? `${JSON.stringify(report)}\n` : present(report));
  } finally {
    await session.dispose();
  }
}

interface Report {
  readonly model: string;
  readonly precision: string;
  readonly provider: ProviderReport;
  readonly loadMs: number;
  readonly decoding: readonly Decoding[];
  readonly rows: readonly {
    readonly context: number;
    readonly prefillMs: number;
    readonly stepMs: readonly number[];
  }[];
  readonly nextKey: NextKey;
}

function present(report: Report): string {
  const { model, precision, provider, loadMs, decoding, rows, nextKey } = report;
  const modes = decoding.map((each) => [
    each.mode === each.ran ? each.mode : `${each.mode} (ran as ${each.ran})`,
    each.tokensPerSecond.toFixed(1),
    each.tokensPerStep.toFixed(2),
    each.firstTokenMs.toFixed(0),
    `${each.speedUp.toFixed(2)} ×`,
  ]);
  const most = Math.max(...rows.map(({ stepMs }) => stepMs.length));
  const costs = rows.map(({ context, prefillMs, stepMs }) => [
    String(context),
    prefillMs.toFixed(2),
    ...stepMs.map((ms) => ms.toFixed(1)),
  ]);
  const { paint } = screenOf(process.stdout);
  const numbers = Array<Align>(most + 2).fill('right');
  const heading = Array.from({ length: most }, (_, i) => `${i + 1} row${i === 0 ? '' : 's'}`);
  return [
    `${model}, ${precision}, loaded in ${(loadMs / 1000).toFixed(1)} s\n${providerLine(provider)}\n`,
    table([['mode', 'tokens/s', 'tokens a step', 'first token, ms', 'against ar'], ...modes], {
      paint,
      align: ['left', ...numbers],
    }),
    ...decoding.flatMap(({ mode, steps }) =>
      describeSteps(steps).map((line) => `${mode}: ${line}\n`),
    ),
    'Milliseconds a step by rows, at a context of so many tokens:\n',
    table([['context', 'prefill, ms a token', ...heading], ...costs], { paint, align: numbers }),
    describeNextKey(nextKey),
  ].join('\n');
}

function describeNextKey({ context, newTokens, firstTokenMs, stepMs }: NextKey): string {
  const answers = firstTokenMs.map(
    (ms, i) => `${newTokens[i]} new: ${ms.toFixed(0)} ms (${(ms / stepMs).toFixed(1)} steps' time)`,
  );
  return `The next key, with ${context} tokens of context, until its first token, by new tokens of the prompt:\n\n${answers.join(', ')}\n`;
}

/** Median over generations; the first token comes from the prefill and does not count. */
function tokensPerSecond(results: readonly GenerationResult[]): number {
  return median(
    results.map(({ steps, decodeMs }) => {
      const decoded = steps.reduce((sum, { n, rows }) => sum + (rows > 0 ? n : 0), 0);
      return (1000 * decoded) / decodeMs;
    }),
  );
}
