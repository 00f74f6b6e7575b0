/** The curve of a model's card: what its makers measured over ε_b. Not every model has one. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { SweepPoint } from '../../../media/thresholds/messages';

const cardSchema = z.object({
  curve: z
    .array(
      z.object({
        epsilon: z.number().min(0).max(1),
        tokensPerStep: z.number().min(0).max(64),
        speedup: z.number().min(0).max(1_000),
        agreement: z.number().min(0).max(1),
      }),
    )
    .max(101),
});

/** @param suite folder of the models; empty when the model has no curve, or none that can be read */
export async function readCard(suite: string, model: string): Promise<SweepPoint[]> {
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(model)) return [];
  try {
    const text = await readFile(join(suite, model, 'thresholds.json'), 'utf8');
    return cardSchema.parse(JSON.parse(text) as unknown).curve;
  } catch {
    return [];
  }
}
