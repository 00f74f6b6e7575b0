/** Fast mode's options, from a request; which ε_b counts, the completer knows. */
import { FAST_DEFAULTS } from '../decoding/fast-options';
import type { FastModeOptions } from '../decoding/fast';
import type { CompletionRequest, GenerationRequest } from './protocol';

/**
 * Without a temperature the likeliest tokens are taken; J is then what it is at the paper's
 * temperature, so that ε_b means the same.
 */
export function fastOptionsOf({
  temperature = 0,
  seed = 0,
  fast = {},
}: CompletionRequest | GenerationRequest): Omit<FastModeOptions, 'epsilon'> {
  const { alpha, unseen, ...parts } = fast;
  return {
    ...parts,
    seed,
    choice: temperature > 0 ? 'draw' : 'likeliest',
    temperature: temperature > 0 ? temperature : (fast.temperature ?? FAST_DEFAULTS.temperature),
    mask: {
      ...(alpha !== undefined && { alpha }),
      ...(unseen !== undefined && { unseen }),
    },
  };
}
