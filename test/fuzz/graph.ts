/**
 * A damaged graph of an installed model, loaded as ever: ONNX Runtime reads it in the child process,
 * and may do there what it likes. What counts is what the parent says.
 */
import { linkSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Engine, modelFiles } from '../../src/engine/client';
import { EngineError, type ErrorCode } from '../../src/engine/errors';
import { PROCESS_TIMING } from '../../src/engine/process';
import { RESTART_LIMITS, RestartPolicy } from '../../src/engine/restart-policy';
import type { InstalledModel } from '../../src/models/installed';
import type { Reader } from './readers';

/** How loading what is damaged may end. */
const EXPECTED: readonly ErrorCode[] = ['model', 'memory', 'crashed'];
/** A graph may also come out as one that never ends; then the child is killed, ms. */
const LONGEST_MS = 15_000;

export interface GraphReader {
  readonly reader: Reader;
  close(): Promise<void>;
}

export function openGraphReader(worker: string, installed: InstalledModel): GraphReader {
  const model = modelFiles(installed, 'none');
  // Weights stand beside their graph, and the link needs one file system.
  const folder = mkdtempSync(join(dirname(model.graph), '..', 'fuzz-'));
  const files = {
    ...model,
    graph: join(folder, 'graph.onnx'),
    weights: join(folder, basename(model.weights)),
  };
  linkSync(model.weights, files.weights);
  const engine = new Engine({
    worker,
    timing: { ...PROCESS_TIMING, hang: LONGEST_MS, hangLoading: LONGEST_MS },
    policy: new RestartPolicy({
      ...RESTART_LIMITS,
      ...{ firstDelayMs: 1, maxCrashes: Infinity, windowMs: 1 },
    }),
  });
  return {
    reader: {
      name: 'graph',
      sound: [readFileSync(model.graph)],
      text: false,
      async read(content) {
        writeFileSync(files.graph, content);
        await engine.load({ ...files }, { threads: 1, contextLength: 256 });
      },
      refuses: (error) => error instanceof EngineError && EXPECTED.includes(error.code),
    },
    async close() {
      await engine.dispose();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
