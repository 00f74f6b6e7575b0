/** How far two texts are the same, from the front: what a sweep and a model's curve measure by. Pure. */

/** UTF-16 code units. */
export function commonPrefix(one: string, other: string): number {
  let length = 0;
  while (length < one.length && one[length] === other[length]) length++;
  return length;
}

/** Share of the characters of both that agree, over all pairs; 1 where there are none. */
export function agreementOf(pairs: readonly (readonly [one: string, other: string])[]): number {
  let [same, all] = [0, 0];
  for (const [one, other] of pairs) {
    same += commonPrefix(one, other);
    all += Math.max(one.length, other.length);
  }
  return all === 0 ? 1 : same / all;
}
