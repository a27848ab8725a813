import uPlot from "uplot";
import { ticks } from "./format.js";
import { isolated } from "./rows.js";

// 1, 2, 5, 10, …: steps whose labels need no more digits than the step itself.
const STEPS = Array.from({ length: 30 }, (_, i) => i - 12).flatMap((e) => [1, 2, 5].map((m) => Number(`${m}e${e}`)));
const WHOLE_STEPS = STEPS.filter((step) => step >= 1);
const PAD = { pad: 0.1, soft: 0, mode: 3 };
const TICK_GAP = 6;

/** The x range: all of the run if its end is known, else what is there. */
export function xRange(xs, xMax = null) {
  if (!xs.length) return [0, xMax ?? 1];
  const [first, last] = [xs[0], xs[xs.length - 1]];
  if (xMax !== null) return [Math.min(0, first), Math.max(xMax, last)];
  return first === last ? [first - 0.5, last + 0.5] : [first, last];
}

/** The y range: the data's own with some air, unless the chart fixes an end. */
export function yRange(low, high, yMin, yMax) {
  const known = Number.isFinite(low) && Number.isFinite(high);
  const [autoMin, autoMax] = known ? uPlot.rangeNum(...towardsZero(low, high), { min: PAD, max: PAD }) : [0, 1];
  const [min, max] = [yMin ?? autoMin, yMax ?? autoMax];
  return min < max ? [min, max] : [min, min + 1];
}

// Zero is worth showing if it costs no more than a third of the height.
function towardsZero(low, high) {
  const near = (high - low) / 2;
  return [low > 0 && low < near ? 0 : low, high < 0 && high > -near ? 0 : high];
}

/** uPlot's options for a chart. Colours and ranges are read at each drawing, so they may change. */
export function options(chart, view, onCursor) {
  const { x, lines } = chart.spec;
  return {
    scales: {
      x: { time: false, range: (plot) => xRange(plot.data[0], chart.spec.x_max) },
      y: { range: (_, low, high) => yRange(low, high, chart.spec.y_min, chart.spec.y_max) },
    },
    series: [{}, ...lines.map((_, i) => line(chart, i))],
    axes: [xAxis(chart), yAxis(chart)],
    padding: [8, 12, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false },
      points: { size: 7, width: 0 },
      sync: { key: `${view}:${x}`, scales: ["x", null], setSeries: false },
    },
    hooks: { setCursor: [onCursor] },
  };
}

function line(chart, i) {
  const stroke = () => chart.colours.series[i % chart.colours.series.length];
  const lonely = (plot, n) => {
    const found = isolated(plot.data[n]);
    return found.length ? found : null;
  };
  return { stroke, width: 1.6, points: { show: false, filter: lonely, size: 5, width: 0, stroke, fill: stroke } };
}

function axis(chart) {
  return {
    stroke: () => chart.colours.text,
    font: chart.colours.font,
    ticks: { show: false },
    gap: TICK_GAP,
    incrs: STEPS,
    values: (_plot, values, _axis, _space, step) => (values.length ? ticks(values, step) : []),
  };
}

function xAxis(chart) {
  return { ...axis(chart), size: 20, space: 56, grid: { show: false }, incrs: xSteps };
}

// Between epoch 4 and epoch 5 there is nothing to label.
function xSteps(plot) {
  const [xs] = plot.data;
  return Number.isInteger(xs[0]) && Number.isInteger(xs[xs.length - 1]) ? WHOLE_STEPS : STEPS;
}

function yAxis(chart) {
  return { ...axis(chart), size: widest(), space: 28, grid: { stroke: () => chart.colours.grid, width: 1 } };
}

// As wide as the widest label so far: an axis that shrank again would make the lines jump.
function widest() {
  let size = 30;
  return (plot, labels, n) => {
    plot.ctx.font = plot.axes[n].font[0];
    for (const label of labels ?? []) size = Math.max(size, widthOf(plot.ctx, label) + 2 * TICK_GAP);
    return size;
  };
}

// The context's font is in device pixels.
const widthOf = (context, text) => context.measureText(text).width / devicePixelRatio;
