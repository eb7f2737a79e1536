// Reads a source map (https://tc39.es/ecma426/), of which a stack needs the first place of each line.

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** For each line of the bundle its source and its line there, from 1 on; null where it has none. */
export function readPlaces({ mappings }) {
  let source = 0;
  let line = 0;
  return mappings.split(";").map((segments) => {
    let place = null;
    for (const segment of segments.split(",")) {
      const [, sourceBy, lineBy] = readNumbers(segment);
      if (sourceBy === undefined) continue;
      source += sourceBy;
      line += lineBy;
      place ??= { source, line: line + 1 };
    }
    return place;
  });
}

function readNumbers(segment) {
  const numbers = [];
  let value = 0;
  let shift = 0;
  for (const character of segment) {
    const digit = DIGITS.indexOf(character);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    numbers.push(value & 1 ? -(value >> 1) : value >> 1);
    value = shift = 0;
  }
  return numbers;
}
