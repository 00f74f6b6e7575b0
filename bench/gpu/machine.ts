/** What the system tells of devices and memory. Whatever it does not tell is null. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Name and driver of an NVIDIA device. */
export async function deviceName(device: number): Promise<string | null> {
  const line = await nvidiaSmi(device, 'name,driver_version');
  return line === undefined ? null : line.replace(', ', ', driver ');
}

/** MB used on a device, by whomever. */
export async function deviceMemory(device: number): Promise<number | null> {
  const megabytes = Number(await nvidiaSmi(device, 'memory.used'));
  return Number.isFinite(megabytes) ? megabytes : null;
}

async function nvidiaSmi(device: number, what: string): Promise<string | undefined> {
  const args = [`--query-gpu=${what}`, '--format=csv,noheader,nounits', `--id=${device}`];
  try {
    const { stdout } = await promisify(execFile)('nvidia-smi', args, { timeout: 20_000 });
    return stdout.trim().split('\n')[0];
  } catch {
    return undefined;
  }
}

/** Resident MB of a process. */
export async function residentMemory(pid: number | undefined): Promise<number | null> {
  const status = await readFile(`/proc/${pid ?? 0}/status`, 'utf8').catch(() => '');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? null : Number(kilobytes) / 1000;
}
