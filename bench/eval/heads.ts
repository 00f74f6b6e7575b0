/** What training measured of heads on held-out text: the report's tables. Pure. */
import { byText } from '../numbers';
import type { HeadsMeasures } from './load';
import { linkTo, NOT_MEASURED, percent, tableOf } from './markdown';

/** Sections of the report; none where nothing was measured. */
export function headsSections(heads: readonly HeadsMeasures[]): string[] {
  if (heads.length === 0) return [];
  const sizes = shortlistTable(heads);
  return [
    kindsTable(heads),
    'PPL<sub>d</sub>, of as many tokens a place as the generation rule chooses:',
    dynamicTable(heads),
    ...(sizes === undefined
      ? []
      : ['The same heads with shortlists of several lengths; tokens a step of exact mode:', sizes]),
  ];
}

/** Whether some heads were measured with more than one shortlist. */
export const shortlistsCompared = (heads: readonly HeadsMeasures[]): boolean =>
  shortlistTable(heads) !== undefined;

const tokensOf = ({ tokens, ppl }: HeadsMeasures): number =>
  tokens ?? Math.max(...Object.keys(ppl).flatMap((n) => (/^\d+$/.test(n) ? [Number(n)] : [])));

const nameOf = (measures: HeadsMeasures): string => {
  const { base, kind, layers } = measures;
  return `${base} T${tokensOf(measures)} ${kind}${layers === 1 ? '' : `, ${layers} layers`}`;
};

const sizeOf = ({ shortlist }: HeadsMeasures): string => shortlist?.toLocaleString('en') ?? '';

/** Base by base, fewer tokens first, so that kinds with as many tokens stand together. */
function sorted(heads: readonly HeadsMeasures[]): HeadsMeasures[] {
  return [...heads].sort(
    (a, b) =>
      byText(a.base, b.base) ||
      tokensOf(a) - tokensOf(b) ||
      byText(a.kind, b.kind) ||
      a.layers - b.layers ||
      (b.shortlist ?? 0) - (a.shortlist ?? 0),
  );
}

function kindsTable(heads: readonly HeadsMeasures[]): string {
  const most = Math.max(...heads.map(tokensOf));
  const places = Array.from({ length: most }, (_, i) => String(i + 1));
  const later = places.slice(1);
  const optional = (value: number | undefined, format: (value: number) => string) =>
    value === undefined ? '' : format(value);
  const ppl = (value: number) => value.toFixed(1);
  return tableOf(
    [
      ...['heads', 'shortlist', ...places.map((n) => `PPL_${n}`)],
      ...later.map((n) => `PPL_1:${n}`),
      ...later.map((n) => `agreement ${n}`),
      ...['accepted length', 'raw'],
    ],
    sorted(heads).map((each) => [
      nameOf(each),
      sizeOf(each),
      ...places.map((n) => optional(each.ppl[n], ppl)),
      ...later.map((n) => optional(each.ppl[`1:${n}`], ppl)),
      ...later.map((n) => optional(each.agreement[n], percent)),
      optional(each.accepted, (length) => length.toFixed(3)) || NOT_MEASURED,
      linkTo(each.file),
    ]),
  );
}

function dynamicTable(heads: readonly HeadsMeasures[]): string {
  const all = heads.flatMap(({ dynamic }) => dynamic.map(({ epsilon }) => epsilon));
  const shown = [...new Set(all)].sort((a, b) => a - b);
  return tableOf(
    ['heads', 'shortlist', ...shown.map((epsilon) => `ε_b ${epsilon}`), 'raw'],
    sorted(heads).map((each) => [
      nameOf(each),
      sizeOf(each),
      ...shown.map((epsilon) => {
        const point = each.dynamic.find((found) => found.epsilon === epsilon);
        return point ? `${point.ppl.toFixed(1)} (${point.tokens.toFixed(2)})` : '';
      }),
      linkTo(each.file),
    ]),
  );
}

/** Heads that were measured with several shortlists, on as many places. */
function shortlistTable(heads: readonly HeadsMeasures[]): string | undefined {
  const groups = new Map<string, HeadsMeasures[]>();
  for (const each of sorted(heads)) {
    const key = JSON.stringify([each.name, tokensOf(each), each.positions]);
    groups.set(key, [...(groups.get(key) ?? []), each]);
  }
  const compared = [...groups.values()].filter(
    (group) => new Set(group.map(({ shortlist }) => shortlist)).size > 1,
  );
  if (compared.length === 0) return undefined;
  return tableOf(
    ['heads', 'shortlist', 'accepted length', 'agreement 2', 'agreement 3', 'raw'],
    compared
      .flat()
      .map((each) => [
        ...[nameOf(each), sizeOf(each)],
        each.accepted?.toFixed(3) ?? NOT_MEASURED,
        ...['2', '3'].map((n) =>
          each.agreement[n] === undefined ? '' : percent(each.agreement[n]),
        ),
        linkTo(each.file),
      ]),
  );
}
