/** Which point of a sweep is best. */
import type { SweepPoint } from '../messages';

/** Agreement with the exact text that the best threshold must keep. */
export const ENOUGH = 0.99;

/** The largest speed-up at enough agreement, the larger ε_b of equals; undefined when none has it. */
export function bestOf(points: readonly SweepPoint[]): SweepPoint | undefined {
  let best: SweepPoint | undefined;
  for (const point of points) {
    if (point.agreement < ENOUGH) continue;
    const better =
      !best ||
      point.speedup > best.speedup ||
      (point.speedup === best.speedup && point.epsilon > best.epsilon);
    if (better) best = point;
  }
  return best;
}
