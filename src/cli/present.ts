/** How results and progress look in a terminal. */
import { PROMPT_TAIL } from '../engine/prompt-text';
import type { CompletionResult, ModelInfo } from '../engine/protocol';
import { nameOf } from '../engine/provider';
import type { InstallProgress } from '../models/progress';
import type { ProviderReport } from './engine';
import { describeSteps, stepFigures } from './step-figures';
import { table, type Align } from './table';
import { printable, visible, type Screen } from './terminal';

type Result = Pick<
  CompletionResult,
  'tokens' | 'steps' | 'prefillMs' | 'decodeMs' | 'promptTokens' | 'reusedTokens' | 'stopReason'
>;

/** The whole picture of a completion: what the model saw, what it said, how fast, step by step. */
export function details(
  target: string,
  info: ModelInfo,
  provider: ProviderReport,
  result: CompletionResult,
  screen: Screen,
): string {
  const { paint } = screen;
  const said =
    result.text === ''
      ? paint('dim', '(nothing to add)')
      : paint('green', printable(result.text)) + replaced(result.replaceRight);
  const loaded = paint('dim', `model loaded in ${time(info.loadMs)}`);
  return [
    paint('bold', `${printable(target)} · ${info.id}, ${info.precision}, mode ${result.mode}`),
    '',
    indent(paint('dim', tailOf(result)) + said),
    '',
    speed(result),
    ...describeSteps(stepFigures(result.steps)),
    `${promptCost(result)} · ${loaded}`,
    paint('dim', providerLine(provider)),
    '',
    stepTable(result, screen),
  ].join('\n');
}

/** The prompt's end; when that is not all of it, without the line cut through if there are others. */
function tailOf({ promptTail }: CompletionResult): string {
  const tail = printable(promptTail);
  if (promptTail.length < PROMPT_TAIL) return tail;
  const end = tail.indexOf('\n');
  return end < 0 || tail.slice(end).trim() === ''
    ? tail
    : `…\n${tail.slice(end).replace(/^\n+/, '')}`;
}

const replaced = (characters: number): string =>
  characters === 0 ? '' : `  (replaces ${count(characters, 'character')} on the right)`;

/** One line: what runs the model, and why. */
export const providerLine = ({ why, ...provider }: ProviderReport): string =>
  `on ${nameOf(provider)}: ${printable(why)}`;

/** One line: tokens, speed, why it ended. */
export function speed({ tokens, steps, decodeMs, stopReason }: Result): string {
  // The prefill gives the first token; decoding time is that of the others.
  const decoded = steps.reduce((sum, step) => sum + (step.rows > 0 ? step.n : 0), 0);
  const rate = decoded > 0 && decodeMs > 0 ? ((1000 * decoded) / decodeMs).toFixed(1) : '-';
  const each = steps.length > 0 ? ` (${(tokens / steps.length).toFixed(2)} a step)` : '';
  return [
    `${count(tokens, 'token')} in ${count(steps.length, 'step')}${each}`,
    `${rate} tokens/s`,
    `ended: ${stopReason}`,
  ].join(' · ');
}

/** What came before the first token. */
export function promptCost({ promptTokens, reusedTokens, prefillMs }: Result): string {
  const run = reusedTokens > 0 ? ` (${promptTokens - reusedTokens} of them run)` : '';
  return `${count(promptTokens, 'prompt token')}${run} in ${time(prefillMs)}`;
}

/** On a screen a long table shows its beginning and its end. */
const FIRST_STEPS = 24;
const LAST_STEPS = 8;

const STEP_ALIGN: readonly Align[] = ['right', 'right', 'left', 'right', 'right', 'left'];

function stepTable(result: CompletionResult, screen: Screen): string {
  const rows = result.steps.map((step, i) => [
    String(i + 1),
    String(step.n),
    step.source,
    `${(100 * step.confidence).toFixed(0)} %`,
    step.rows === 0 ? 'prefill' : step.ms.toFixed(1),
    visible(step.text),
  ]);
  const left = rows.length - FIRST_STEPS - LAST_STEPS;
  if (left > 1 && screen.columns < Infinity) {
    rows.splice(FIRST_STEPS, left, [
      '…',
      '',
      '',
      '',
      '',
      `${left} more steps; --json has them all`,
    ]);
  }
  const heading = ['step', 'tokens', 'source', 'confidence', 'ms', 'text'];
  return table([heading, ...rows], { ...screen, align: STEP_ALIGN });
}

export const size = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

const time = (ms: number): string =>
  ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;

const indent = (text: string): string => text.replace(/^(?!$)/gm, '  ');

const PHASES: Readonly<Record<InstallProgress['phase'], string>> = {
  download: 'Downloading',
  check: 'Checking',
  convert: 'Converting',
  finish: 'Finishing',
  prepare: 'Preparing for this processor',
};

/** Progress in one line of a terminal, or a line for every tenth in a log. */
export class ProgressLine {
  private lastTenth = '';
  private drawn = false;

  constructor(private readonly stream: NodeJS.WriteStream) {}

  show({ phase, source, done, total }: InstallProgress): void {
    const percent = total > 0 ? `${Math.floor((100 * done) / total)} % of ${size(total)}` : '';
    const text = [PHASES[phase], percent, source && `(${source})`].filter(Boolean).join(' ');
    if (this.stream.isTTY) {
      this.stream.write(`\r\u001b[2K${text.slice(0, this.stream.columns - 1)}`);
      this.drawn = true;
      return;
    }
    const tenth = `${phase} ${source ?? ''} ${total > 0 ? Math.floor((10 * done) / total) : ''}`;
    if (tenth !== this.lastTenth) this.stream.write(`${text}\n`);
    this.lastTenth = tenth;
  }

  clear(): void {
    if (this.drawn) this.stream.write('\r\u001b[2K');
    this.drawn = false;
  }
}
