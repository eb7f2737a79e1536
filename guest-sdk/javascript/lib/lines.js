// A plugin is one bundle; the log should name the author's files. The build packs where each line of the bundle comes
// from into one string, and a stack is rewritten by it when there is something to log.
//
// Lines are divided by commas. An empty one follows the line before; `N` is N lines on from there; `S:N` is line N of
// source S; `-` has no source.

export function packLines(places) {
  let source = -1;
  let next = 0;
  return places
    .map((place) => {
      if (place === null) return "-";
      const told =
        place.source !== source ? `${place.source}:${place.line}` : place.line === next ? "" : `${place.line - next}`;
      source = place.source;
      next = place.line + 1;
      return told;
    })
    .join(",");
}

/** The place that a line of the bundle comes from; both count from 1. */
export function placeOf(lines, wanted) {
  let source = -1;
  let next = 0;
  let place = null;
  const packed = lines.places.split(",");
  for (let i = 0; i < Math.min(wanted, packed.length); i++) {
    const told = packed[i];
    if (told === "-") {
      place = null;
      continue;
    }
    if (told.includes(":")) {
      const [at, line] = told.split(":").map(Number);
      source = at;
      next = line;
    } else {
      next += Number(told);
    }
    place = { source, line: next };
    next += 1;
  }
  return wanted > packed.length || place === null ? null : `${lines.sources[place.source]}:${place.line}`;
}

/** Writes the author's files and lines into a stack, and leaves out frames of the SDK at its end. */
export function rewriteStack(stack, lines) {
  if (!lines) return stack.trim();
  const place = (all, line) => placeOf(lines, Number(line)) ?? all;
  const frames = stack
    .trim()
    .split("\n")
    .map((frame) => frame.trim().replace(/[^\s()]*\buser\.js:(\d+)(?::\d+)?/, place));
  while (frames.length > 1 && / \(?baton-guest\//.test(frames.at(-1))) frames.pop();
  return frames.join("\n");
}
