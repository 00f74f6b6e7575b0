/** Arithmetic that several benches need. Pure. */

/** Two-sided 95 % of the normal distribution. */
export const Z_95 = 1.959963984540054;

export const sum = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);

/** NaN of none. */
export const mean = (values: readonly number[]): number => sum(values) / values.length;

/** For sorting text the same way everywhere, whatever the machine's language. */
export const byText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
