// How values read: sizes, times, quantities with units, and labels made from column names.

const UNITS = new Set(["kV", "keV", "nA", "pA", "m", "mm", "deg", "s", "Pa", "K", "V", "eV", "mrad"]);
const SHOWN_UNIT = { deg: "°" };
const SCALES = [[1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]];
const SCALED = new Set(["m", "s"]);

/** A column's label and unit: `Working_Distance_mm` -> Working distance, mm. */
export function described(column) {
  const parts = column.split("_");
  const unit = parts.length > 1 && UNITS.has(parts.at(-1)) ? parts.pop() : null;
  const words = parts.map((word, at) => (at && !/^[A-Z]+\d*$/.test(word) ? word.toLowerCase() : word));
  return { label: words.join(" "), unit };
}

/** `2.31 × 10⁻⁴`, with the exponent in raised digits. */
const scientific = (value) =>
  value.toExponential(3).replace(/\.?0+e/, "e").replace(/e([+-])(\d+)$/, (_, sign, digits) =>
    ` × 10${sign === "-" ? "⁻" : ""}${[...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]).join("")}`);

/** A number of at most five significant digits. */
export function number(value) {
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return value.toLocaleString("en-GB");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e7)) return scientific(value);
  return String(Number(value.toPrecision(5)));
}

/** A value with its unit; metres and seconds get the prefix that reads best. */
export function quantity(value, unit) {
  if (Array.isArray(value)) {
    const texts = value.map((part) => quantity(part, unit));
    return texts.every((text) => text === texts[0]) && unit ? texts[0] : texts.join(" × ");
  }
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  if (typeof value !== "number") return String(value);
  if (unit && SCALED.has(unit) && value !== 0) {
    const [factor, prefix] = SCALES.find(([scale]) => Math.abs(value) >= scale) ?? SCALES.at(-1);
    return `${number(value / factor)} ${prefix}${unit}`;
  }
  const shown = SHOWN_UNIT[unit] ?? unit;
  return shown ? `${number(value)}${shown === "°" ? "" : " "}${shown}` : number(value);
}

/** A size in bytes. */
export function bytes(size) {
  if (size === null || size === undefined) return "";
  const names = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  let value = size;
  while (value >= 1024 && at < names.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${at ? value.toFixed(value < 10 ? 1 : 0) : value} ${names[at]}`;
}

/** A moment as `2011-10-13 16:20`; a time without zone stays the instrument's own. */
export function moment(text) {
  return text ? text.replace("T", " ").slice(0, 16) : "";
}

/** `1 file`, `2 files`. */
export function counted(count, noun) {
  return `${count.toLocaleString("en-GB")} ${noun}${count === 1 ? "" : "s"}`;
}
