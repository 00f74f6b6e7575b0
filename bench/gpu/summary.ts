/** From what was measured to figures. Pure. */
import { rateInterval, type Interval } from '../infilling/statistics';
import { modeFigures, type ModeFigures } from '../steps/summary';
import type { PeerRow, Results, Row, SpeedRow } from './results';

/** Share of completions whose greedy text must be that of the CPU's fp32 graph. */
export const SAME_TEXT_GOAL = 0.95;

export interface SpeedFigures {
  readonly context: number;
  readonly gpu?: SpeedRow;
  readonly cpu?: SpeedRow;
  readonly peer?: PeerRow;
}

/**
 * What 1,000 tokens of context add to a step of one row, ms. Our keys and values go to the device in every
 * step, PyTorch's stay there: the difference is what that costs, but for what attention itself takes.
 */
export interface ContextCost {
  readonly gpu?: number;
  readonly peer?: number;
}

export interface TextFigures {
  readonly compared: number;
  readonly same: number;
  readonly interval: Interval;
  /** Undefined before there is anything to compare. */
  readonly met: boolean | undefined;
}

export interface GpuFigures {
  readonly model: string;
  readonly speeds: readonly SpeedFigures[];
  readonly contextCost: ContextCost;
  readonly modes: readonly ModeFigures[];
  readonly places: number;
  readonly texts: TextFigures;
}

export function figuresOf({ rows }: Results): GpuFigures[] {
  const all = [...rows.values()];
  const models = [...new Set(all.map(({ model }) => model))];
  return models.map((model) => {
    const own = all.filter((row) => row.model === model);
    const decoded = own.filter((row) => row.part === 'modes');
    const specs = [...new Set(decoded.flatMap(({ modes }) => Object.keys(modes)))];
    const rowsOf = decoded.map(({ id, modes }) => ({ id, kind: 'held-out' as const, modes }));
    const speeds = speedsOf(own);
    const [gpu, peer] = [slope(speeds, (at) => at.gpu), slope(speeds, (at) => at.peer)];
    return {
      model,
      speeds,
      contextCost: { ...(gpu !== undefined && { gpu }), ...(peer !== undefined && { peer }) },
      modes: specs.map((spec) => modeFigures(spec, rowsOf)),
      places: decoded.length,
      texts: textsOf(own),
    };
  });
}

function speedsOf(rows: readonly Row[]): SpeedFigures[] {
  const measured = rows.filter((row) => row.part === 'speed');
  const peers = rows.filter((row) => row.part === 'peer');
  const contexts = new Set([...measured, ...peers].map(({ context }) => context));
  return [...contexts]
    .sort((a, b) => a - b)
    .map((context) => {
      const of = (side: SpeedRow['side']) =>
        measured.find((row) => row.context === context && row.side === side);
      const [gpu, cpu] = [of('gpu'), of('cpu')];
      const peer = peers.find((row) => row.context === context);
      return { context, ...(gpu && { gpu }), ...(cpu && { cpu }), ...(peer && { peer }) };
    });
}

/** Between the shortest and the longest context, ms per 1,000 tokens; undefined for fewer than two. */
function slope(
  speeds: readonly SpeedFigures[],
  of: (
    at: SpeedFigures,
  ) => { readonly context: number; readonly stepMs: readonly number[] } | undefined,
): number | undefined {
  const points = speeds.flatMap((at) => of(at) ?? []);
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || first === last) return undefined;
  const [before = NaN, after = NaN] = [first.stepMs[0], last.stepMs[0]];
  return (1000 * (after - before)) / (last.context - first.context);
}

function textsOf(rows: readonly Row[]): TextFigures {
  const texts = rows.filter((row) => row.part === 'text');
  const gpu = new Map(texts.filter(({ side }) => side === 'gpu').map((row) => [row.id, row]));
  const pairs = texts.flatMap((row) => {
    const other = row.side === 'cpu' ? gpu.get(row.id) : undefined;
    return other ? [[row, other] as const] : [];
  });
  const same = pairs.filter(([a, b]) => a.text === b.text && a.tokens === b.tokens).length;
  const compared = pairs.length;
  return {
    compared,
    same,
    interval: rateInterval(same, compared),
    met: compared === 0 ? undefined : same / compared >= SAME_TEXT_GOAL,
  };
}

export function describe({ header }: Results, figures: readonly GpuFigures[]): string {
  const { provider, device, deviceName, quick } = header;
  const lines = [
    `${provider}, device ${device}${deviceName === null ? '' : ` (${deviceName})`}`,
    ...(quick ? ['A trial: these figures say nothing.'] : []),
  ];
  for (const { model, speeds, contextCost, modes, places, texts } of figures) {
    lines.push('', model);
    for (const { context, gpu, cpu, peer } of speeds) {
      lines.push(`  ${context} tokens of context, ms a step of 1 to 8 rows; prefill, ms a token`);
      const sides = [
        ['fp16', gpu, gpu && memoryOf(gpu)],
        ['CPU, int8', cpu, cpu && memoryOf(cpu)],
        ['PyTorch', peer, peer?.memory ? `${peer.memory.toFixed(0)} MB on the device` : ''],
      ] as const;
      for (const [name, row, memory] of sides) {
        if (!row) continue;
        const steps = row.stepMs.map((ms) => ms.toFixed(2)).join(' ');
        lines.push(`    ${name.padEnd(10)} ${steps}; ${row.prefillMs.toFixed(3)}; ${memory ?? ''}`);
      }
    }
    if (contextCost.gpu !== undefined) {
      const own = `${contextCost.gpu.toFixed(2)} ms a step`;
      const { peer } = contextCost;
      const theirs =
        peer === undefined ? '' : ` (PyTorch, which keeps them there: ${peer.toFixed(2)})`;
      lines.push(
        `  1,000 tokens of context, whose keys and values go to the device: ${own}${theirs}`,
      );
    }
    if (places > 0) lines.push(`  ${places} held-out places, against plain decoding on the device`);
    for (const { mode, speedUp, speedUpInterval: span, tokensPerStep, same } of modes) {
      lines.push(
        `    ${mode.padEnd(10)} ${speedUp.toFixed(2)} × (${span.low.toFixed(2)} to ${span.high.toFixed(2)}), ` +
          `${tokensPerStep.toFixed(2)} tokens a step, same text ${same} of ${places}`,
      );
    }
    const { compared, same, interval, met } = texts;
    if (met === undefined) continue;
    lines.push(
      `  greedy text equal to the CPU's fp32: ${same} of ${compared} ` +
        `(${percent(interval.low)} to ${percent(interval.high)}), goal ${percent(SAME_TEXT_GOAL)}: ${met ? 'met' : 'missed'}`,
    );
  }
  return lines.join('\n');
}

function memoryOf({ memory: { resident, device } }: SpeedRow): string {
  const parts = [
    resident === null ? [] : `${resident.toFixed(0)} MB resident`,
    device === null ? [] : `${device} MB on the device`,
  ];
  return parts.flat().join(', ');
}

const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
