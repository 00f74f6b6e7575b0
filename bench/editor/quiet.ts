/** Whether anything else is at work on this machine, so that figures are not those of a busy one. */
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Above this share of all processors the machine is not quiet; VS Code's own cursor blinks below it. */
const MOST_BUSY = 0.25;
const LOOK_MS = 1500;
const PATIENCE_MS = 90_000;

/** Waits for a quiet moment; returns how busy the machine was, 0 to 1, when waiting ended. */
export async function untilQuiet(): Promise<number> {
  for (const end = performance.now() + PATIENCE_MS; ;) {
    const before = times();
    await sleep(LOOK_MS);
    const after = times();
    const busy = 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all);
    if (busy <= MOST_BUSY || performance.now() > end) return Math.round(100 * busy) / 100;
  }
}

function times(): { readonly idle: number; readonly all: number } {
  let [idle, all] = [0, 0];
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { idle, all };
}
