// Words and numbers as they are shown. Pure.

/** Characters that would not be seen, or would turn around or join what stands beside them. */
const ODD = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\u115f\u1160\u3164\uffa0]/u;
const ODDS = new RegExp(`(${ODD.source})`, "u");

/** `text` in parts, those that would not be seen written as their code points. */
export function parts(text) {
  const found = [];
  for (const part of String(text).split(ODDS)) {
    if (part === "") continue;
    if (part.length <= 2 && ODD.test(part)) {
      found.push({ odd: true, text: `U+${part.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}` });
    } else {
      found.push({ odd: false, text: part });
    }
  }
  return found;
}

/** The same as one text, for labels and titles. */
export function plain(text) {
  return parts(text)
    .map((part) => (part.odd ? `⟨${part.text}⟩` : part.text))
    .join("");
}

/** A message or a state: JSON laid out in lines; ends of lines and tabs stay, other odd characters are written out. */
export function readable(text) {
  let shown = text;
  try {
    const value = JSON.parse(text);
    // Numbers beyond what JavaScript counts exactly would change.
    if (typeof value === "object" && value !== null && !/\d{16}/.test(text)) shown = JSON.stringify(value, null, 2);
  } catch {
    // Text that is no JSON is shown as it is.
  }
  return shown
    .split(/([\n\t])/)
    .map((part) => (part === "\n" || part === "\t" ? part : plain(part)))
    .join("");
}

/** Hexadecimal digits in lines of 16 bytes, with their offsets and what of them is ASCII. */
export function dump(hex) {
  const lines = [];
  for (let at = 0; at < hex.length; at += 32) {
    const bytes = hex.slice(at, at + 32).match(/../g) ?? [];
    const ascii = bytes.map((byte) => {
      const code = Number.parseInt(byte, 16);
      return code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "·";
    });
    lines.push(`${(at / 2).toString(16).padStart(6, "0")}  ${bytes.join(" ").padEnd(47)}  ${ascii.join("")}`);
  }
  return lines.join("\n");
}

/** What a body is, as the API shows bodies: its text, or a dump, and whether there is more of it. */
export function body(shown) {
  const { body_bytes: bytes, body_text: text, body_hex: hex } = shown;
  if (text === undefined) return { text: dump(hex ?? ""), cut: bytes > (hex ?? "").length / 2, binary: true };
  const odd = text.split("").filter((c) => c < " " && c !== "\n" && c !== "\t" && c !== "\r").length;
  const encoded = new TextEncoder().encode(text);
  // Text by chance: a few bytes of a binary encoding.
  if (odd > 0 && odd * 8 >= text.length) {
    const digits = Array.from(encoded, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { text: dump(digits), cut: bytes > encoded.length, binary: true };
  }
  return { text: readable(text), cut: bytes > encoded.length, binary: false };
}

const GROUPED = new Intl.NumberFormat("en-US");

/** 12,345. */
export function count(number) {
  return GROUPED.format(number);
}

/** `1 actor`, `3 actors`. */
export function counted(number, one, many = `${one}s`) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** 1.2 KiB. */
export function size(bytes) {
  if (bytes === null || bytes === undefined) return "–";
  if (bytes < 1024) return `${bytes} B`;
  let value = bytes;
  let unit = -1;
  do {
    value /= 1024;
    unit += 1;
  } while (value >= 1023.95 && unit < 4);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${["KiB", "MiB", "GiB", "TiB", "PiB"][unit]}`;
}

/** Microseconds in the unit that fits. */
export function micros(us) {
  if (us === null || us === undefined) return "–";
  if (us < 1_000) return `${Math.round(us)} µs`;
  if (us < 1_000_000) return `${us < 10_000 ? (us / 1_000).toFixed(1) : Math.round(us / 1_000)} ms`;
  return `${(us / 1_000_000).toFixed(us < 10_000_000 ? 1 : 0)} s`;
}

/** A time that has passed, in milliseconds: 3 d 4 h, 5 min, 12 s. */
export function span(ms) {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The time of the day; with the date where that is not today's. */
export function moment(ms, now = Date.now()) {
  const two = (number) => String(number).padStart(2, "0");
  const at = new Date(ms);
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  if (at.toDateString() === new Date(now).toDateString()) return clock;
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock}`;
}

/** Why a record was written, as the API says it: a word, or `{word: more}`. */
export function cause(told) {
  if (typeof told === "string") return told;
  if (told === null || typeof told !== "object") return "–";
  return Object.entries(told)
    .map(([word, more]) => `${word} (${typeof more === "string" ? more : JSON.stringify(more)})`)
    .join(", ");
}

/** The first digits of a digest. */
export function short(digest) {
  return String(digest).slice(0, 12);
}

/** How many milliseconds a child has to stop. */
export function budget(shutdown) {
  if (shutdown === "infinity") return "as long as it takes";
  if (shutdown === "brutal-kill") return "none: it is killed";
  return `${count(shutdown)} ms`;
}
