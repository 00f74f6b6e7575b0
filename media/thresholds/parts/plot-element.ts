/**
 * `<dynamo-plot>`: a small plot, drawn by uPlot in the theme's colours, as wide as it is given room.
 * Its numbers stand in a table beside it wherever they matter, so the picture itself is a picture.
 */
import uPlot from 'uplot';
import { colour, fonts, onTheme } from './palette';

export interface PlotSeries {
  readonly label: string;
  readonly values: readonly (number | null)[];
  readonly kind: 'bars' | 'line';
  /** A CSS variable of the page. */
  readonly colour: string;
  readonly scale?: 'y' | 'share';
  readonly faint?: boolean;
}

export interface PlotMark {
  readonly x: number;
  readonly label: string;
  readonly colour: string;
}

export interface PlotSpec {
  readonly label: string;
  readonly height: number;
  readonly x: readonly number[];
  readonly xRange: readonly [number, number];
  readonly xTicks?: readonly number[];
  readonly xText: (x: number) => string;
  readonly yTicks?: readonly number[];
  readonly yText: (y: number) => string;
  readonly series: readonly PlotSeries[];
  readonly marks?: readonly PlotMark[];
}

class PlotElement extends HTMLElement {
  #spec: PlotSpec | undefined;
  #plot: uPlot | undefined;
  #shape = '';
  #endTheme: (() => void) | undefined;
  /** Whether the plot is on screen; what is not is drawn when it comes there. */
  #seen = false;
  #stale = false;
  readonly #resize = new ResizeObserver(() => this.#fit());
  readonly #sight = new IntersectionObserver((entries) => {
    this.#seen = entries.at(-1)?.isIntersecting === true;
    if (this.#seen && this.#stale) this.#update();
  });

  set spec(spec: PlotSpec) {
    if (spec === this.#spec) return;
    this.#spec = spec;
    this.setAttribute('role', 'img');
    this.setAttribute('aria-label', spec.label);
    const shape = JSON.stringify([
      spec.height,
      spec.series.map(({ label, kind }) => [label, kind]),
    ]);
    if (this.#plot && shape === this.#shape) {
      this.#update();
      return;
    }
    this.#shape = shape;
    this.#make();
  }

  #update(): void {
    this.#stale = !this.#seen;
    if (this.#spec && this.#seen) this.#plot?.setData(dataOf(this.#spec));
  }

  connectedCallback(): void {
    this.#resize.observe(this);
    this.#sight.observe(this);
    this.#endTheme = onTheme(() => this.#make());
    this.#make();
  }

  disconnectedCallback(): void {
    this.#resize.disconnect();
    this.#sight.disconnect();
    this.#endTheme?.();
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  #fit(): void {
    const spec = this.#spec;
    if (!spec || this.clientWidth === 0) return;
    if (this.#plot) this.#plot.setSize({ width: this.clientWidth, height: spec.height });
    else this.#make();
  }

  #make(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
    if (!this.#spec || !this.isConnected || this.clientWidth === 0) return;
    this.#plot = new uPlot(this.#options(this.#spec), dataOf(this.#spec), this);
  }

  #options(spec: PlotSpec): uPlot.Options {
    const line = `color-mix(in srgb, ${colour('--fore')} 14%, transparent)`;
    const axis: uPlot.Axis = {
      stroke: colour('--quiet'),
      font: `11px ${fonts().text}`,
      grid: { stroke: line, width: 1 },
      ticks: { show: false },
      gap: 4,
    };
    const { xTicks, yTicks } = spec;
    const shares = spec.series.some(({ scale }) => scale === 'share');
    return {
      width: this.clientWidth,
      height: spec.height,
      cursor: { show: false },
      legend: { show: false },
      padding: [8, shares ? 0 : 8, 0, 0],
      scales: {
        x: { time: false, range: [...spec.xRange] as [number, number] },
        y: { range: (_, __, most) => [0, Math.max(most, 1e-9) * 1.08] },
        share: { range: [0, 1.02] },
      },
      axes: [
        {
          ...axis,
          size: 22,
          values: (_, ticks) => ticks.map(spec.xText),
          ...(xTicks && { splits: () => [...xTicks] }),
        },
        {
          ...axis,
          size: (_, texts) => Math.max(40, 10 + 6.5 * longest(texts)),
          values: (_, ticks) => ticks.map((tick) => this.#spec?.yText(tick) ?? ''),
          ...(yTicks && { splits: () => [...yTicks] }),
        },
        ...(shares
          ? [
              {
                ...axis,
                scale: 'share',
                side: 1,
                size: 44,
                grid: { show: false },
                splits: () => [0, 0.25, 0.5, 0.75, 1],
                values: (_: uPlot, ticks: number[]) => ticks.map((tick) => `${100 * tick} %`),
              } satisfies uPlot.Axis,
            ]
          : []),
      ],
      series: [
        {},
        ...spec.series.map((series): uPlot.Series => {
          const stroke = colour(series.colour);
          const bars = series.kind === 'bars';
          return {
            label: series.label,
            scale: series.scale ?? 'y',
            stroke,
            width: bars ? 0 : series.faint ? 1 : 2,
            // Curves that were measured at other places share the axis.
            spanGaps: !bars,
            ...(series.faint && { dash: [4, 4] }),
            ...(bars && uPlot.paths.bars && { paths: uPlot.paths.bars({ size: [0.9, 40] }) }),
            ...(bars && { fill: stroke }),
            points: { show: !bars && !series.faint, size: 6, fill: stroke },
          };
        }),
      ],
      hooks: { draw: [(plot) => this.#drawMarks(plot)] },
    };
  }

  /** Upright lines with their names, over the data. */
  #drawMarks(plot: uPlot): void {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    for (const [index, mark] of (this.#spec?.marks ?? []).entries()) {
      const x = Math.round(plot.valToPos(mark.x, 'x', true));
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = colour(mark.colour);
      ctx.lineWidth = 2 * ratio;
      ctx.setLineDash(index === 0 ? [] : [5 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.font = `${11 * ratio}px ${fonts().text}`;
      const right = x + ctx.measureText(mark.label).width + 8 * ratio > bbox.left + bbox.width;
      ctx.textAlign = right ? 'right' : 'left';
      ctx.fillText(mark.label, x + (right ? -5 : 5) * ratio, bbox.top + (12 + 14 * index) * ratio);
      ctx.restore();
    }
  }
}

/** Characters of the longest text. */
const longest = (texts: readonly string[] | null) =>
  Math.max(0, ...(texts ?? []).map((text) => text.length));

function dataOf({ x, series }: PlotSpec): uPlot.AlignedData {
  return [[...x], ...series.map(({ values }) => [...values])];
}

customElements.define('dynamo-plot', PlotElement);
