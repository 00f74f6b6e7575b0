/** What this process computes with, as far as prepared graphs depend on it. */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { env } from 'onnxruntime-node';
import type { Machine } from '../models/prepared';
import { productsSaturate } from './saturation';

let found: Promise<Machine> | undefined;

/** Asked once a process. */
export function thisMachine(): Promise<Machine> {
  return (found ??= look());
}

async function look(): Promise<Machine> {
  const processor = [
    process.platform,
    process.arch,
    cpus()[0]?.model ?? '',
    // Virtual machines of one name differ in what they have.
    await features(),
    (await productsSaturate()) ? 'saturating' : '',
  ];
  return { runtime: env.versions.node ?? env.versions.common, processor: processor.join('; ') };
}

/** The processor's features as Linux lists them, in its order; empty elsewhere. */
async function features(): Promise<string> {
  try {
    const text = await readFile('/proc/cpuinfo', 'utf8');
    return /^(?:flags|Features)\s*:(.*)$/m.exec(text)?.[1]?.trim() ?? '';
  } catch {
    return '';
  }
}
