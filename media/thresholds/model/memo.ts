/** The last result of a function, for as long as its arguments are the same. */
export function lastOf<A extends readonly unknown[], R>(compute: (...values: A) => R) {
  let last: { readonly values: A; readonly result: R } | undefined;
  return (...values: A): R => {
    const known = last?.values.every((value, i) => Object.is(value, values[i]));
    if (!last || known !== true) last = { values, result: compute(...values) };
    return last.result;
  };
}
