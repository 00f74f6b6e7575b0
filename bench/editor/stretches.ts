/** From a CPU profile to the longest stretches in which one folder's code held the event loop. */
import type { Profiler } from 'node:inspector/promises';

export interface Stretch {
  readonly ms: number;
  /** The functions that most of it was spent in, with their ms and places in the bundle. */
  readonly where: string;
}

/** Nodes that belong to no code: what stands between two stretches. */
const IDLE = new Set(['(idle)', '(root)', '(program)']);
const COLLECTOR = '(garbage collector)';

/** @param folder of the code that is asked about; its frames and what they call count as its own */
export function longestStretches(
  profile: Profiler.Profile,
  folder: string,
  most: number,
): Stretch[] {
  const parents = new Map<number, Profiler.ProfileNode>();
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  for (const node of profile.nodes) {
    for (const child of node.children ?? []) parents.set(child, node);
  }
  const isOwn = remembered((id: number): boolean => {
    for (let node = nodes.get(id); node; node = parents.get(node.id)) {
      if (node.callFrame.url.includes(folder)) return true;
    }
    return false;
  });
  const stretches: Stretch[] = [];
  let us = 0;
  let places = new Map<string, number>();
  const end = () => {
    const where = [...places]
      .sort(([, a], [, b]) => b - a)
      .slice(0, 3)
      .map(([name, took]) => `${name} ${Math.round(took / 100) / 10}`)
      .join(', ');
    if (us > 0) stretches.push({ ms: Math.round(us / 10) / 100, where });
    us = 0;
    places = new Map();
  };
  for (const [at, id] of (profile.samples ?? []).entries()) {
    // A sample stands for the time up to the next one.
    const delta = profile.timeDeltas?.[at + 1] ?? 0;
    const name = nodes.get(id)?.callFrame.functionName ?? '';
    if (isOwn(id) || (name === COLLECTOR && us > 0)) {
      us += delta;
      const place = nameOf(nodes.get(id));
      places.set(place, (places.get(place) ?? 0) + delta);
    } else if (us > 0 && (IDLE.has(name) || name !== COLLECTOR)) end();
  }
  end();
  return stretches.sort((a, b) => b.ms - a.ms).slice(0, most);
}

function nameOf(node: Profiler.ProfileNode | undefined): string {
  if (!node) return '';
  const { functionName, url, lineNumber, columnNumber } = node.callFrame;
  const file = url.slice(url.lastIndexOf('/') + 1);
  return `${functionName}@${file}:${lineNumber + 1}:${columnNumber + 1}`;
}

function remembered<K, V>(make: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>();
  return (key) => {
    let value = known.get(key);
    if (value === undefined) known.set(key, (value = make(key)));
    return value;
  };
}
