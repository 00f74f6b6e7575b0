/**
 * What the view draws of a place: panels of J, each a grid of cells with labels, and what the
 * thresholds do to them. All values are those of decoding/picture.ts.
 */
import { Latest } from '../../../src/decoding/latest';
import type { Picture } from '../../../src/decoding/picture';
import type { ViewSettings } from '../messages';
import type { Label } from './label';
import { optionsOf, type Place } from './options';

export type PanelKind = 'plain' | 'masked' | 'cut';

export interface Panel {
  readonly key: string;
  readonly title: string;
  readonly picture: Picture;
  /** Whether cells that did not survive are taken away. */
  readonly cut: boolean;
  /** What is drawn of a cell. */
  valueAt(place: number): number;
}

export interface Grid {
  readonly rows: readonly GridRow[];
  /** Labels of all rows' columns; absent where each row has its own, as chained heads have. */
  readonly columns: readonly Label[] | undefined;
}

export interface GridRow {
  readonly label: readonly Label[];
  readonly cells: readonly GridCell[];
}

export interface GridCell {
  readonly place: number;
  /** The last token, where columns have no common label. */
  readonly label: Label;
}

/** One panel of J under these settings; undefined when the model has no tokens of this order. */
export function panel(
  place: Place,
  settings: ViewSettings,
  order: number,
  kind: PanelKind,
): Panel | undefined {
  const picture = place.pictures(settings.chains).picture(optionsOf(settings), order);
  return picture && { key: kind, ...TITLED[kind], picture, valueAt: valueAt(picture, kind) };
}

/** The five panels side by side: the paper's Figure 11. */
export function panels(place: Place, settings: ViewSettings, order: number): Panel[] {
  const { alpha } = settings;
  const variants: readonly (readonly [string, string, PanelKind, Partial<ViewSettings>])[] = [
    ['plain', 'Plain', 'plain', {}],
    ['half', `Masked, α ${trim(alpha / 2)}`, 'masked', { alpha: alpha / 2 }],
    ['masked', `Masked, α ${trim(alpha)}`, 'masked', {}],
    ['sharp', 'Thresholded, no blur', 'cut', { useBlur: false, useOtsu: true }],
    ['blurred', 'Thresholded, blur', 'cut', { useBlur: true, useOtsu: true }],
  ];
  const masked = place.table !== undefined && alpha > 0;
  return variants
    .filter(([, , kind]) => masked || kind !== 'masked')
    .flatMap(([key, title, kind, changes]) => {
      const made = panel(place, { ...settings, ...changes }, order, kind);
      return made ? [{ ...made, key, title }] : [];
    });
}

/** Grids of places: which cells there are does not change with their values. */
const grids = new WeakMap<Place, Latest<Grid>>();
const MOST_GRIDS = 4;

/**
 * The grid of a panel; the same one for panels whose cells are the same.
 *
 * @param size rows at most
 * @param slice of a third-order J of independent heads: rank of the third token
 * @param most columns at most
 */
export function gridOf(
  place: Place,
  picture: Picture,
  size: number,
  slice = 0,
  most: number = size,
): Grid {
  // Which rows chained heads have depends on more than the shape, but they are few.
  if (place.proposal.kind === 'chained') return madeGrid(place, picture, size, slice, most);
  const known = grids.get(place) ?? new Latest<Grid>(MOST_GRIDS);
  grids.set(place, known);
  const key = [picture.order, ...picture.shape, size, slice, most].join(' ');
  return known.get(key, () => madeGrid(place, picture, size, slice, most));
}

function madeGrid(place: Place, picture: Picture, size: number, slice: number, most: number): Grid {
  const { shape, order } = picture;
  const [first = 0, second = 0, third = 1] = shape;
  const rowCount = Math.min(size, first);
  const columnCount = Math.min(most, second);
  if (place.proposal.kind === 'chained') {
    const rows = Array.from({ length: rowCount }, (_, row): GridRow => {
      const cells = Array.from({ length: columnCount }, (_, column): GridCell => {
        const cell = row * second + column;
        return { place: cell, label: place.label(picture.idsAt(cell)[order - 1] ?? 0) };
      });
      const beginning = picture.idsAt(row * second).slice(0, -1);
      return { label: beginning.map((id) => place.label(id)), cells };
    });
    return { rows, columns: undefined };
  }
  const depth = order === 3 ? third : 1;
  const at = (row: number, column: number) =>
    (row * second + column) * depth + (order === 3 ? slice : 0);
  const labelAt = (cell: number, axis: number) => place.label(picture.idsAt(cell)[axis] ?? 0);
  const columns = Array.from({ length: columnCount }, (_, column) => labelAt(at(0, column), 1));
  const rows = Array.from({ length: rowCount }, (_, row) => ({
    label: [labelAt(at(row, 0), 0)],
    cells: columns.map((label, column) => ({ place: at(row, column), label })),
  }));
  return { rows, columns };
}

/** Third tokens that slices can be taken at, likeliest first. */
export function slices(place: Place, size: number): readonly Label[] {
  if (place.proposal.kind === 'chained') return [];
  const third = place.proposal.heads[2];
  return third ? Array.from(third.ids.slice(0, size), (id) => place.label(id)) : [];
}

/** Orders above 1 that the place has tokens for. */
export function orders(place: Place): readonly number[] {
  const { proposal } = place;
  const most =
    proposal.kind === 'independent'
      ? proposal.heads.length
      : Math.max(...proposal.chains.map((chain) => chain.length));
  return [2, 3].filter((order) => order <= most);
}

const TITLED = {
  plain: { title: 'Plain', cut: false },
  masked: { title: 'Masked', cut: false },
  cut: { title: 'Thresholded', cut: true },
} as const;

function valueAt(picture: Picture, kind: PanelKind): Panel['valueAt'] {
  if (kind === 'cut') return (place) => picture.leftAt(place);
  const values = picture[kind];
  return (place) => values[place] ?? 0;
}

const trim = (x: number) => String(Number(x.toFixed(2)));
