/** Process ids of the engines that a server's windows have started. */
import { execFileSync } from 'node:child_process';
import type { EditorServer } from './server';

export function enginesOf(server: EditorServer): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, pid, parent, args]) => ({
      pid: Number(pid),
      parent: Number(parent),
      args: args ?? '',
    }));
  const below = new Set([server.pid]);
  for (let more = true; more;) {
    const found = rows.filter(({ pid, parent }) => below.has(parent) && !below.has(pid));
    more = found.length > 0;
    for (const { pid } of found) below.add(pid);
  }
  return rows
    .filter(({ pid, args }) => below.has(pid) && /dist\/worker\.js/.test(args))
    .map(({ pid }) => pid);
}
