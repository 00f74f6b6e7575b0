/**
 * What the view draws of a place: panels of J, each a grid of cells with labels, and what the
 * thresholds do to them. All values are those of decoding/picture.ts.
 */
import { pictureOf, type Picture } from '../../../src/decoding/picture';
import type { ViewSettings } from '../messages';
import type { Label } from './label';
import { optionsOf, proposalFor, type Place } from './options';

export type PanelKind = 'plain' | 'masked' | 'cut';

export interface Panel {
  readonly key: string;
  readonly title: string;
  readonly picture: Picture;
  /** Whether cells that did not survive are taken away. */
  readonly cut: boolean;
  /** The tensor that is drawn. */
  readonly values: Float64Array;
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
  const picture = pictureOf(
    proposalFor(place, settings),
    place.inspection.recent,
    optionsOf(settings, place.table),
    order,
  );
  return picture && { key: kind, ...TITLED[kind], picture, values: valuesOf(picture, kind) };
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

/**
 * The grid of a panel.
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
  const { shape, order } = picture;
  const chained = place.proposal.kind === 'chained';
  const [first = 0, second = 0, third = 1] = shape;
  const rowCount = Math.min(size, first);
  const columnCount = Math.min(most, second);
  const at = (row: number, column: number) =>
    order === 3 && !chained ? (row * second + column) * third + slice : row * second + column;
  const rows = Array.from({ length: rowCount }, (_, row): GridRow => {
    const ids = picture.idsAt(at(row, 0));
    const beginning = chained ? ids.slice(0, -1) : ids.slice(0, 1);
    return {
      label: beginning.map((id) => place.label(id)),
      cells: Array.from({ length: columnCount }, (_, column): GridCell => {
        const cell = at(row, column);
        const last = picture.idsAt(cell)[chained ? order - 1 : 1] ?? 0;
        return { place: cell, label: place.label(last) };
      }),
    };
  });
  return { rows, columns: chained ? undefined : rows[0]?.cells.map(({ label }) => label) };
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

function valuesOf({ plain, masked, left }: Picture, kind: PanelKind): Float64Array {
  return { plain, masked, cut: left }[kind];
}

const trim = (x: number) => String(Number(x.toFixed(2)));
