const two = (number) => String(number).padStart(2, "0");

/** Seconds as `0:42`, `1:42`, `1:02:05`. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Seconds as `48 s left`, `3 min left`, `2 h 05 min left`. */
export function remaining(seconds) {
  if (seconds <= 0) return "a moment left";
  if (Math.ceil(seconds) < 60) return `${Math.ceil(seconds)} s left`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min left` : `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min left`;
}

/** A whole number with separators: `1,204`. */
export function count(number) {
  return number.toLocaleString("en-US");
}

/** A value under the cursor: four digits, `–` for a gap. */
export function value(number) {
  if (number === null || number === undefined) return "–";
  const size = Math.abs(number);
  if (size >= 1e9 || (size < 1e-3 && size > 0)) return exponent(number, 2);
  return Number.isInteger(number) || size >= 1e3 ? count(Math.round(number)) : number.toPrecision(4);
}

/** The labels of an axis whose neighbouring ticks lie `step` apart; all in one manner. */
export function ticks(values, step) {
  const largest = Math.max(...values.map(Math.abs));
  if (step < 1e-4) return values.map((v) => (v === 0 ? "0" : exponent(v, 2)));
  if (largest >= 1e4) return values.map(short);
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  return values.map((v) => String(Number(v.toFixed(decimals))));
}

const exponent = (number, digits) => number.toExponential(digits).replace(/\.?0+e/, "e").replace("e+", "e");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 4 });
const short = (number) => compact.format(number);
