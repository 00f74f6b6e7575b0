/**
 * From a key to grey text in a real VS Code, with the real 0.5B model: with a warm cache, after a jump
 * to another place, and in a file that was just opened. One number a key: the time until grey text
 * with a whole line is on screen, VS Code's own delay included.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { installVsCode } from '../../test/editor/harness/install';
import { EditorServer } from '../../test/editor/harness/server';
import { EditorWindow, launchBrowser } from '../../test/editor/harness/window';

const REPEATS = Number(process.argv[2] ?? 12);

/** Functions whose bodies are to be completed; `n` makes each file another one. */
function source(n: number): string {
  const parts = Array.from({ length: 14 }, (_, index) => {
    const name = `${['area', 'total', 'mean', 'ratio', 'delta', 'scale', 'limit'][index % 7] ?? ''}_${n}_${index}`;
    return `def ${name}(first, second):\n    """Works out ${name.replaceAll('_', ' ')} of two numbers."""\n    value = first * ${index + n}\n    return value + second\n`;
  });
  return `${parts.join('\n\n')}\n\ndef work_${n}(values):\n    """The sum of the squares of values."""\n    result = 0\n`;
}

async function main(): Promise<void> {
  const { vscode, browser: path } = installVsCode('.cache');
  const server = await EditorServer.start({ vscode, settings: { 'dynamo.deadline': 1000 } });
  const browser = await launchBrowser(path);
  const times: Record<string, number[]> = { warm: [], jump: [], newFile: [] };
  try {
    for (let n = 0; n < REPEATS; n += 1) server.write(`file${n}.py`, source(n));
    const window = await EditorWindow.open(browser, server, { extension: process.cwd() });
    await window.openFile('file0.py');
    await window.type('    for');
    await window.untilGhostText();
    for (let n = 0; n < REPEATS; n += 1) {
      await window.press('Escape');
      await window.openFile(`file${n}.py`);
      times['newFile']?.push(await timed(window, '    f'));
      for (const line of ['for value in values', '    if value >', '    print(']) {
        await window.press('Escape');
        await window.press('Enter');
        await window.type(line.slice(0, -1), 10);
        await window.press('Escape');
        times['warm']?.push(await timed(window, line.slice(-1)));
      }
      await window.press('Escape');
      await window.press('Control+Home');
      await window.press('ArrowDown');
      await window.press('ArrowDown');
      await window.press('End');
      await window.press('Enter');
      times['jump']?.push(await timed(window, 'r'));
    }
  } finally {
    await browser.close();
    await server.stop();
  }
  const report = Object.fromEntries(
    Object.entries(times).map(([name, all]) => {
      const seen = all.filter(Number.isFinite).sort((a, b) => a - b);
      const at = (q: number) => Math.round(seen[Math.floor(q * (seen.length - 1))] ?? NaN);
      return [name, { keys: all.length, shown: seen.length, p50: at(0.5), p95: at(0.95) }];
    }),
  );
  console.table(report);
  mkdirSync('out', { recursive: true });
  writeFileSync('out/editor-latency.json', `${JSON.stringify({ report, times }, null, 2)}\n`);
}

/** Types `text`; from its last key to grey text, ms; Infinity when there is none within 4 seconds. */
async function timed(window: EditorWindow, text: string): Promise<number> {
  await window.type(text.slice(0, -1), 10);
  const shown = window.page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        let began = Infinity;
        const key = () => (began = performance.now());
        document.addEventListener('keydown', key, { capture: true, once: true });
        const limit = setTimeout(() => resolve(Infinity), 4000);
        const look = () => {
          const ghost = document.querySelector('.view-lines .ghost-text-decoration');
          if (began < Infinity && ghost?.textContent) {
            clearTimeout(limit);
            resolve(performance.now() - began);
          } else requestAnimationFrame(look);
        };
        look();
      }),
  );
  await window.page.waitForTimeout(20);
  await window.type(text.slice(-1));
  return await shown;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
