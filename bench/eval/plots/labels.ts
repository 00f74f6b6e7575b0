/** Where the names of points go, so that none lies on another or on a point. Pure; pixels. */

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly label: string;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Of a character of the small font, about. */
const CHARACTER = 6;
const ASCENT = 9;
const DESCENT = 3;
const RADIUS = 6;
/** From a point to its name's baseline: near ones first. */
const HEIGHTS = [-8, 16, -21, 29, -34, 42, -47, 55];

/** @returns the labels with the beginnings of their baselines; a point that is hemmed in gets the nearest place */
export function placeLabels(points: readonly Place[]): Place[] {
  const taken = points.map(({ x, y }): Box => ({
    ...{ left: x - RADIUS, right: x + RADIUS, top: y - RADIUS, bottom: y + RADIUS },
  }));
  return points.map(({ x, y, label }) => {
    const width = CHARACTER * label.length;
    const tried = HEIGHTS.flatMap((height) => [
      { x: x + 9, y: y + height, label },
      { x: x - 9 - width, y: y + height, label },
    ]);
    const free = tried.find((place) => !taken.some((box) => overlap(box, boxOf(place))));
    const chosen = free ?? { x: x + 9, y: y - 8, label };
    taken.push(boxOf(chosen));
    return chosen;
  });
}

const boxOf = ({ x, y, label }: Place): Box => ({
  ...{ left: x, right: x + CHARACTER * label.length, top: y - ASCENT, bottom: y + DESCENT },
});

const overlap = (a: Box, b: Box): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
