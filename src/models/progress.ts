/**
 * How the models room tells what it is doing.
 */
export interface InstallProgress {
  readonly phase: 'download' | 'check' | 'convert' | 'finish' | 'prepare';
  /** Where the bytes come from, or whom the installation waits for; in words for a user. */
  readonly source?: string;
  /** Bytes; `total` is 0 when it is not known. */
  readonly done: number;
  readonly total: number;
}

export type ProgressListener = (progress: InstallProgress) => void;

/**
 * Passes on at most ten reports a second, and always the first and last of a phase and any change
 * of source.
 */
export function throttled(listener: ProgressListener, now = performance.now.bind(performance)) {
  let last: InstallProgress | undefined;
  let lastAt = -Infinity;
  return (progress: InstallProgress): void => {
    const sameKind = progress.phase === last?.phase && progress.source === last.source;
    if (sameKind && progress.done < progress.total && now() - lastAt < 100) return;
    last = progress;
    lastAt = now();
    listener(progress);
  };
}
