/**
 * Time of fast mode's decision for three heads of 50 candidates with every part on, against the slow
 * reference that makes every cell; both must decide alike.
 */
import { strict as assert } from 'node:assert';
import { readCooccurrence } from '../../src/decoding/cooccurrence-file';
import { createFastChooser, type Decision } from '../../src/decoding/fast-choice';
import type { FastOptions } from '../../src/decoding/fast-options';
import type { Proposal } from '../../src/decoding/proposal';
import { seededRandom } from '../../src/decoding/random';
import { decideNaively } from '../../test/fixtures/naive-decision';
import { mean } from '../numbers';
import { countTable, makeText, proposalAt } from './text';

const WARM_UP = 200;
const DECISIONS = 1000;
const NAIVE_DECISIONS = 5;

export function main(): void {
  const random = seededRandom(1);
  const text = makeText(random);
  const bytes = countTable(text);
  const table = readCooccurrence(bytes);
  console.log(`table: ${(bytes.length / 1e6).toFixed(1)} MB`);
  const cases = Array.from({ length: WARM_UP + DECISIONS }, () => {
    const place = 64 + Math.floor(random() * (text.length - 64));
    return {
      proposal: proposalAt(text, place, random),
      recent: [...text.slice(place - 63, place + 1)],
    };
  });
  console.log('ε_b   tokens   cells    median ms   p95 ms   naive median ms');
  for (const epsilon of [0.5, 0.3, 0.1, 0]) {
    const options: FastOptions = { epsilon, table, choice: 'likeliest' };
    const decide = createFastChooser(options);
    const times: number[] = [];
    const decisions: Decision[] = [];
    for (const [index, { proposal, recent }] of cases.entries()) {
      const started = performance.now();
      const decision = decide(proposal, recent);
      if (index < WARM_UP) continue;
      times.push(performance.now() - started);
      decisions.push(decision);
    }
    const naive = compare(options, cases.slice(WARM_UP), decisions);
    const tokens = mean(decisions.map(({ choices }) => choices.length));
    const cells = mean(decisions.map(({ tried }) => tried[0]?.survivors ?? 0));
    const columns = [
      String(epsilon).padEnd(3),
      tokens.toFixed(2).padStart(8),
      cells.toFixed(0).padStart(7),
      quantile(times, 0.5).toFixed(3).padStart(12),
      quantile(times, 0.95).toFixed(3).padStart(8),
      quantile(naive, 0.5).toFixed(0).padStart(17),
    ];
    console.log(columns.join(' '));
  }
}

/** Times of the slow reference on the first cases, which it must decide in the same way. */
function compare(
  options: FastOptions,
  cases: readonly { proposal: Proposal; recent: readonly number[] }[],
  decisions: readonly Decision[],
): number[] {
  return cases.slice(0, NAIVE_DECISIONS).map(({ proposal, recent }, index) => {
    const started = performance.now();
    const decision = decideNaively(options, proposal, recent, 0);
    const ms = performance.now() - started;
    assert.deepEqual(decisions[index], decision);
    return ms;
  });
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}
