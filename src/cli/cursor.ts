/** Reads the text around `FILE:LINE:COLUMN`. Lines and columns count from 1, in UTF-16 units. */
import { readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import type { CursorContext } from '../completion/types';
import { errorCode } from '../models/errors';
import { UsageError } from './usage';

/** Larger files are data, not something that a person edits; VS Code's own limit for models. */
const MOST_BYTES = 20 * 2 ** 20;

const LANGUAGES: Readonly<Record<string, string>> = {
  '.c': 'c',
  '.cc': 'cpp',
  '.cpp': 'cpp',
  '.cs': 'csharp',
  '.css': 'css',
  '.go': 'go',
  '.h': 'cpp',
  '.html': 'html',
  '.java': 'java',
  '.js': 'javascript',
  '.json': 'json',
  '.jsx': 'javascriptreact',
  '.kt': 'kotlin',
  '.lua': 'lua',
  '.md': 'markdown',
  '.mjs': 'javascript',
  '.php': 'php',
  '.py': 'python',
  '.rb': 'ruby',
  '.rs': 'rust',
  '.sh': 'shellscript',
  '.sql': 'sql',
  '.swift': 'swift',
  '.toml': 'toml',
  '.ts': 'typescript',
  '.tsx': 'typescriptreact',
  '.txt': 'plaintext',
  '.yaml': 'yaml',
  '.yml': 'yaml',
};

export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** @throws {UsageError} */
export function parsePosition(argument: string): Position {
  const match = /^(.+):(\d{1,9}):(\d{1,9})$/s.exec(argument);
  const [, file, line, column] = match ?? [];
  if (file === undefined || Number(line) < 1 || Number(column) < 1) {
    throw new UsageError(`"${argument}" is not FILE:LINE:COLUMN, with both counted from 1.`);
  }
  return { file, line: Number(line), column: Number(column) };
}

/** @throws {Error} with a sentence for the user when there is no such text */
export async function readCursor({ file, line, column }: Position): Promise<CursorContext> {
  const text = decodeText(file, await readBounded(file));
  if (text === '') throw new Error(`${file} is empty: there is nothing to complete from.`);
  const offset = offsetAt(text, line, column);
  if (typeof offset === 'string') throw new Error(`${file} ${offset}`);
  return {
    prefix: text.slice(0, offset),
    suffix: text.slice(offset),
    language: LANGUAGES[extname(file).toLowerCase()] ?? 'unknown',
  };
}

async function readBounded(file: string): Promise<Uint8Array> {
  try {
    const status = await stat(file); // Not opened yet: opening a pipe would wait for its writer.
    if (status.isDirectory()) throw new Error(`${file} is a folder.`);
    if (!status.isFile()) throw new Error(`${file} is not an ordinary file.`);
    if (status.size > MOST_BYTES) {
      throw new Error(
        `${file} has ${(status.size / 2 ** 20).toFixed(0)} MB; at most ${MOST_BYTES / 2 ** 20} MB are read.`,
      );
    }
    return await readFile(file);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new Error(`${file} does not exist.`, { cause: error });
    }
    if (code === 'EACCES') throw new Error(`${file} may not be read.`, { cause: error });
    throw error;
  }
}

function decodeText(file: string, bytes: Uint8Array): string {
  if (bytes.subarray(0, 65_536).includes(0)) {
    throw new Error(`${file} is a binary file: it holds zero bytes.`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Error(`${file} is not valid UTF-8; convert it first.`, { cause: error });
  }
}

/** Offset of a position, or what is wrong with it. Within a surrogate pair, the offset before it. */
export function offsetAt(text: string, line: number, column: number): number | string {
  let start = 0;
  for (let at = 1; at < line; at++) {
    const end = text.indexOf('\n', start);
    if (end < 0) return `has ${count(at, 'line')}; there is no line ${line}.`;
    start = end + 1;
  }
  const next = text.indexOf('\n', start);
  let end = next < 0 ? text.length : next;
  if (text[end - 1] === '\r' && end > start) end--;
  if (column > end - start + 1) {
    return `has ${count(end - start, 'character')} in line ${line}; there is no column ${column}.`;
  }
  const offset = start + column - 1;
  return /^[\uD800-\uDBFF][\uDC00-\uDFFF]/.test(text.slice(offset - 1, offset + 1))
    ? offset - 1
    : offset;
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
