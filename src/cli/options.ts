/** Options that several subcommands share, checked before anything starts. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { messageOf } from '../models/errors';
import type { Precision } from '../models/paths';
import { precisions } from '../models/paths';
import { LIMITS, type DecodeMode } from '../engine/protocol';
import { PROVIDER_SETTINGS, type ProviderSetting } from '../engine/provider';
import { UsageError } from './usage';

export const MODES: readonly DecodeMode[] = ['ar', 'exact', 'fast'];

type FlagTable = NonNullable<ParseArgsConfig['options']>;

/** Options of everything that loads a model. */
export const engineFlags = {
  model: { type: 'string' },
  precision: { type: 'string' },
  mode: { type: 'string' },
  epsilon: { type: 'string' },
  heads: { type: 'string' },
  temperature: { type: 'string' },
  seed: { type: 'string' },
  'max-tokens': { type: 'string' },
  threads: { type: 'string' },
  provider: { type: 'string' },
  device: { type: 'string' },
  json: { type: 'boolean' },
} as const satisfies FlagTable;

export interface EngineChoice {
  readonly model: string | undefined;
  /** Undefined lets the provider decide: int8 on the CPU, fp16 on a GPU. */
  readonly precision: Precision | undefined;
  readonly mode: DecodeMode;
  /** The model's own default when undefined. */
  readonly epsilon: number | undefined;
  /** Name of the model's heads, or `none`; the catalogue's default when undefined. */
  readonly heads: string | undefined;
  readonly temperature: number | undefined;
  readonly seed: number | undefined;
  readonly maxTokens: number | undefined;
  readonly threads: number | undefined;
  readonly provider: ProviderSetting;
  /** Of the provider's devices; undefined lets the engine choose. */
  readonly device: number | undefined;
  readonly json: boolean;
}

/** What a request says of how to decode. */
export function decodingOf({ mode, epsilon, temperature, seed }: EngineChoice) {
  return {
    mode,
    ...(epsilon !== undefined && { epsilon }),
    ...(temperature !== undefined && { temperature }),
    ...(seed !== undefined && { seed }),
  };
}

/** `parseArgs` with its complaints turned into usage errors. */
export function parse<const T extends FlagTable>(args: readonly string[], options: T) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    const message = messageOf(error);
    throw new UsageError(`${message.split('. ')[0]}.`); // Without its advice on "--".
  }
}

/** @throws {UsageError} naming the option that is out of range */
export function engineChoice(
  values: Partial<Record<keyof typeof engineFlags, string | boolean | undefined>>,
): EngineChoice {
  return {
    model: text(values.model),
    precision: optional('--precision', text(values.precision), precisions),
    mode: oneOf('--mode', text(values.mode) ?? 'exact', MODES),
    epsilon: number('--epsilon', text(values.epsilon), 0, 1),
    heads: text(values.heads),
    temperature: number('--temperature', text(values.temperature), 0, 10),
    seed: integer('--seed', text(values.seed), 0, 2 ** 31 - 1),
    maxTokens: integer('--max-tokens', text(values['max-tokens']), 1, 32_768),
    threads: integer('--threads', text(values.threads), 1, 256),
    provider: oneOf('--provider', text(values.provider) ?? 'auto', PROVIDER_SETTINGS),
    device: integer('--device', text(values.device), 0, LIMITS.device),
    json: values.json === true,
  };
}

export function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw new UsageError(`${name} takes ${allowed.join(', ')}.`);
  return found;
}

function optional<T extends string>(
  name: string,
  value: string | undefined,
  allowed: readonly T[],
): T | undefined {
  return value === undefined ? undefined : oneOf(name, value, allowed);
}

function number(
  name: string,
  value: string | undefined,
  least: number,
  most: number,
): number | undefined {
  if (value === undefined) return undefined;
  const parsed = value.trim() === '' ? NaN : Number(value);
  if (!(parsed >= least && parsed <= most)) {
    throw new UsageError(`${name} takes a number from ${least} to ${most}, not "${value}".`);
  }
  return parsed;
}

function integer(
  name: string,
  value: string | undefined,
  least: number,
  most: number,
): number | undefined {
  const parsed = number(name, value, least, most);
  if (parsed !== undefined && !Number.isInteger(parsed)) {
    throw new UsageError(`${name} takes a whole number, not "${value}".`);
  }
  return parsed;
}

const text = (value: string | boolean | undefined): string | undefined =>
  typeof value === 'string' ? value : undefined;
