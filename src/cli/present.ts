/** How results look in a terminal. Colours only where the terminal shows them. */
import { styleText } from 'node:util';
import type { CompletionResult, ModelInfo } from '../engine/protocol';
import type { InstallProgress } from '../models/progress';

type Result = Pick<
  CompletionResult,
  'tokens' | 'steps' | 'prefillMs' | 'decodeMs' | 'promptTokens' | 'reusedTokens' | 'stopReason'
>;

/** The whole picture of a completion: what the model saw, what it said, how fast, step by step. */
export function details(target: string, info: ModelInfo, result: CompletionResult): string {
  const shown = result.text === '' ? paint('dim', '(nothing to add)') : paint('green', result.text);
  return [
    paint('bold', `${target} · ${info.id}, ${info.precision}, mode ${result.mode}`),
    paint(
      'dim',
      `loaded in ${seconds(info.loadMs)}; ${result.promptTokens} prompt tokens, ending:`,
    ),
    '',
    indent(paint('dim', result.promptTail) + shown),
    '',
    speed(result),
    '',
    stepTable(result),
  ].join('\n');
}

/** One line: tokens, speed, prefill, why it ended. */
export function speed(result: Result): string {
  const { tokens, steps, decodeMs, prefillMs, promptTokens, reusedTokens } = result;
  // The prefill gives the first token; decoding time is that of the others.
  const decoded = steps.reduce((sum, step) => sum + (step.rows > 0 ? step.n : 0), 0);
  const rate = decodeMs > 0 ? `${((1000 * decoded) / decodeMs).toFixed(1)} tokens/s` : '-';
  const perStep = steps.length > 0 ? (tokens / steps.length).toFixed(2) : '-';
  return [
    `${tokens} tokens`,
    rate,
    `${perStep} tokens a step`,
    `first token after ${seconds(prefillMs)} (${promptTokens - reusedTokens} of ${promptTokens} prompt tokens run)`,
    `ended: ${result.stopReason}`,
  ].join(' · ');
}

function stepTable(result: CompletionResult): string {
  const rows = result.steps.map((step, i) => [
    String(i + 1),
    String(step.n),
    step.source,
    `${(100 * step.confidence).toFixed(0)} %`,
    step.rows === 0 ? 'prefill' : step.ms.toFixed(1),
    visible(step.text),
  ]);
  return table([['step', 'tokens', 'source', 'confidence', 'ms', 'text'], ...rows]);
}

/** Columns padded to their widest cell; the first row is the heading. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row, i) => {
      const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
      return (i === 0 ? paint('bold', line.trimEnd()) : line.trimEnd()) + '\n';
    })
    .join('');
}

/** A step's text on one line, whitespace made visible. */
function visible(text: string): string {
  return text
    .replaceAll('\r', '␍')
    .replaceAll('\n', '⏎')
    .replaceAll('\t', '→')
    .replaceAll(' ', '·')
    .replace(/\p{C}/gu, '�');
}

export const size = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

const seconds = (ms: number): string =>
  ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;

const indent = (text: string): string => text.replace(/^/gm, '  ');

function paint(style: 'bold' | 'dim' | 'green', text: string): string {
  if (!process.stdout.isTTY || process.env['NO_COLOR']) return text;
  return styleText(style, text);
}

const PHASES: Readonly<Record<InstallProgress['phase'], string>> = {
  download: 'Downloading',
  check: 'Checking',
  convert: 'Converting',
  finish: 'Finishing',
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
