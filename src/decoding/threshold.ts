/**
 * The two thresholds of J: the static one, ε_b^(n-1), and the adaptive one, which is Otsu's.
 *
 * Otsu's threshold is that of scikit-image (`skimage.filters.threshold_otsu`, 256 bins between the
 * smallest and the largest value, as NumPy's `histogram` counts them): the centre of the bin behind
 * which a cut makes the variance between the classes largest, the first one of equals. It is below the
 * largest value unless all values are equal (it is then that value), so it never empties J.
 */
import type { Values } from './blur';

const BINS = 256;

/** ε_b^(n-1): what n - 1 further tokens must reach together, if each has to reach ε_b. */
export function staticThreshold(epsilon: number, order: number): number {
  return Math.pow(epsilon, order - 1);
}

/** Otsu's threshold of `values` and as many zeros as said; 0 when there is neither. */
export function otsuThreshold({ values, zeros }: Values): number {
  let smallest = zeros > 0 ? 0 : Infinity;
  let largest = zeros > 0 ? 0 : -Infinity;
  for (const value of values) {
    if (value < smallest) smallest = value;
    if (value > largest) largest = value;
  }
  if (!(smallest < largest)) return values.length > 0 ? smallest : 0;

  const edges = Float64Array.from({ length: BINS + 1 }, (_, bin) =>
    bin === BINS ? largest : smallest + bin * ((largest - smallest) / BINS),
  );
  // Values that are equal but for rounding have no 256 bins between them.
  if (edges.some((edge, bin) => bin > 0 && !(edge > (edges[bin - 1] ?? 0)))) return smallest;
  const counts = histogram(values, edges);
  if (zeros > 0) counts[binOf(0, edges)] = (counts[binOf(0, edges)] ?? 0) + zeros;
  const centres = counts.map((_, bin) => ((edges[bin] ?? 0) + (edges[bin + 1] ?? 0)) / 2);
  return centres[bestCut(counts, centres)] ?? 0;
}

function histogram(values: Float64Array, edges: Float64Array): Float64Array {
  const counts = new Float64Array(BINS);
  for (const value of values) {
    const bin = binOf(value, edges);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

/** The bin that holds `value`: its lower edge belongs to it; the last bin has its upper edge too. */
function binOf(value: number, edges: Float64Array): number {
  const smallest = edges[0] ?? 0;
  const share = (value - smallest) / ((edges[BINS] ?? 0) - smallest);
  const bin = Math.min(BINS - 1, Math.floor(share * BINS));
  // The division rounds; the edges decide.
  if (value < (edges[bin] ?? 0)) return bin - 1;
  return bin < BINS - 1 && value >= (edges[bin + 1] ?? 0) ? bin + 1 : bin;
}

/** The bin behind which a cut makes the variance between the two sides largest. */
function bestCut(counts: Float64Array, centres: Float64Array): number {
  const upperWeights = new Float64Array(BINS);
  const upperSums = new Float64Array(BINS);
  for (let bin = BINS - 1, weight = 0, sum = 0; bin >= 0; bin--) {
    weight += counts[bin] ?? 0;
    sum += (counts[bin] ?? 0) * (centres[bin] ?? 0);
    upperWeights[bin] = weight;
    upperSums[bin] = sum;
  }
  let best = 0;
  let largest = -Infinity;
  for (let bin = 0, weight = 0, sum = 0; bin < BINS - 1; bin++) {
    weight += counts[bin] ?? 0;
    sum += (counts[bin] ?? 0) * (centres[bin] ?? 0);
    const upper = upperWeights[bin + 1] ?? 0;
    const distance = sum / weight - (upperSums[bin + 1] ?? 0) / upper;
    const variance = weight * upper * distance ** 2;
    if (variance > largest) [best, largest] = [bin, variance];
  }
  return best;
}
