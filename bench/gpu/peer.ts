/** PyTorch on the same device and the same weights, in a process of its own (peer.py). */
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { Provider } from '../../src/engine/protocol';
import type { InstalledModel } from '../../src/models/installed';
import { suiteFiles } from '../../src/models/paths';
import type { PeerRow } from './results';

const answer = z.array(
  z.object({
    context: z.number(),
    prefillMs: z.number(),
    stepMs: z.array(z.number()),
    torch: z.string(),
    memory: z.number().nullable(),
  }),
);

export interface PeerRun {
  readonly root: string;
  readonly python: string;
  readonly provider: Provider;
  readonly installed: InstalledModel;
  readonly contexts: readonly number[];
  readonly repeats: number;
}

/** @throws when Python has no PyTorch, or it has no such device */
export async function runPeer(run: PeerRun): Promise<Omit<PeerRow, 'part' | 'model'>[]> {
  const { root, python, provider, installed, contexts, repeats } = run;
  const { plan } = suiteFiles(join(root, 'models'), installed.id, 'fp16');
  const device = provider.name === 'cuda' ? `cuda:${provider.device}` : 'cpu';
  const args = [join(root, 'bench', 'gpu', 'peer.py'), installed.id, plan];
  args.push(dirname(installed.weights), device, contexts.join(','), String(repeats));
  try {
    const { stdout } = await promisify(execFile)(python, args, { maxBuffer: 2 ** 20 });
    return answer.parse(JSON.parse(stdout));
  } catch (error) {
    const why = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    const line = why.trim().split('\n').at(-1) ?? 'it said nothing';
    throw new Error(`PyTorch (${python}) failed: ${line}. Use --python PATH, or --no-peer.`, {
      cause: error,
    });
  }
}
