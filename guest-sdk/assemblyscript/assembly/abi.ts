// The canonical ABI, by hand: what the host passes in lies on the runtime's heap, is copied, and freed at once; what is
// handed to it stays where it is until the next turn.

/** Where the host writes the answers of imports: the longest, of `count-children`, takes 40 bytes. */
export const RET: usize = memory.data(48, 8);

/** A place in a record: the address of a text or list, and its length. */
// @ts-ignore: decorator
@inline export function lengthAt(slot: usize): i32 {
  return load<i32>(slot, 4);
}

export function takeText(at: usize, length: i32): string {
  if (length == 0) return "";
  const text = String.UTF8.decodeUnsafe(at, length);
  heap.free(at);
  return text;
}

/** Bytes that came in or went out since all garbage was collected. */
let turnover: u32 = 0;

/** Adds to that, and says how much it is. */
export function turnOver(bytes: i32): u32 {
  turnover += bytes;
  return turnover;
}

export function forgetTurnover(): void {
  turnover = 0;
}

export function takeBuffer(at: usize, length: i32): ArrayBuffer {
  turnover += length;
  const buffer = new ArrayBuffer(length);
  if (length == 0) return buffer;
  memory.copy(changetype<usize>(buffer), at, length);
  heap.free(at);
  return buffer;
}

export function takeTextAt(slot: usize): string {
  return takeText(load<usize>(slot), lengthAt(slot));
}

/** An `option<string>`: a byte, and the text 4 bytes later. */
export function takeOptionAt(slot: usize): string | null {
  return load<u8>(slot) ? takeTextAt(slot + 4) : null;
}

export function takeTextsAt(slot: usize): string[] {
  const list = load<usize>(slot);
  const count = lengthAt(slot);
  const texts = new Array<string>(count);
  for (let i = 0; i < count; i++) texts[i] = takeTextAt(list + (<usize>i << 3));
  if (count > 0) heap.free(list);
  return texts;
}

export function putAt(slot: usize, at: usize, length: i32): void {
  store<usize>(slot, at);
  store<i32>(slot, length, 4);
}
