/**
 * Which parts of other open files go into the prompt: their declarations, for names and signatures
 * are what a completion needs of them, in few tokens. Pure, and the same for the same files.
 */

import type { OtherFile } from './types';

export interface Candidate extends OtherFile {
  readonly language: string;
}

const MOST_FILES = 2;
/** Characters of each excerpt: about 250 tokens of code. */
const MOST_CHARACTERS = 800;

/** Languages whose files refer to each other. */
const FAMILIES: readonly (readonly string[])[] = [
  ['typescript', 'typescriptreact', 'javascript', 'javascriptreact', 'vue', 'svelte'],
  ['c', 'cpp', 'objective-c', 'cuda-cpp'],
];

/**
 * @param own the document that is completed
 * @param candidates other documents, the one used last first
 */
export function chooseFiles(
  own: { readonly language: string; readonly text: string },
  candidates: readonly Candidate[],
): OtherFile[] {
  const related = candidates.filter(({ language }) => isRelated(own.language, language));
  const imported = related.filter(({ name }) => mentions(own.text, name));
  const chosen = [...new Set([...imported, ...related])].slice(0, MOST_FILES);
  return chosen
    .map(({ name, text }) => ({ name, text: excerpt(text) }))
    .filter(({ text }) => text !== '')
    .sort((a, b) => (a.name < b.name ? -1 : 1)); // The order of use changes, this one does not.
}

/** The declarations of a file, one a line; its beginning when none is recognised. */
export function excerpt(text: string, most = MOST_CHARACTERS): string {
  const lines = text.split(/\r\n?|\n/);
  const declarations = lines.filter((line) => DECLARATION.test(line));
  const kept = declarations.length >= 2 ? declarations : lines.filter((line) => /\S/.test(line));
  let length = 0;
  const whole: string[] = [];
  for (const line of kept) {
    length += line.length + 1;
    if (length > most) break;
    whole.push(line.trimEnd());
  }
  return whole.join('\n');
}

const MODIFIERS = String.raw`(?:(?:export|default|declare|public|private|protected|internal|static|abstract|final|sealed|override|readonly|async|pub(?:\([\w:]+\))?|unsafe|extern|inline|virtual|open|data|partial)\s+)*`;
const DECLARATION = new RegExp(
  String.raw`^\s{0,8}${MODIFIERS}(?:(?:class|interface|struct|enum|trait|impl|type|def|fn|func|function\*?|fun|module|namespace|protocol|record|object|union|typedef|const fn)\s+[\w$<(]|` +
    String.raw`(?:const|let|var|val)\s+[\w$]+\s*(?::[^=]+)?=\s*(?:async\s*)?(?:\(|function\b)|` +
    String.raw`(?:[\w<>[\],.?*&:]+\s+)+[\w$]+\s*\([^;]*\)\s*\{\s*$)`,
);

function isRelated(own: string, other: string): boolean {
  return own === other || FAMILIES.some((family) => family.includes(own) && family.includes(other));
}

/** Whether an import-like line of `text` names the file. */
function mentions(text: string, name: string): boolean {
  const stem = /([^/\\]+?)(?:\.[^./\\]+)?$/.exec(name)?.[1];
  if (stem === undefined || stem.length < 2) return false;
  const word = new RegExp(String.raw`(?<![\w-])${stem.replace(/[^\w]/g, '\\$&')}(?![\w-])`);
  return text
    .split('\n')
    .some(
      (line) =>
        /^\s*(?:import|from|use|using|require|#\s*include|const|export|mod)\b/.test(line) &&
        word.test(line),
    );
}
