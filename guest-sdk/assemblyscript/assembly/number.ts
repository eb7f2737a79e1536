// Numbers as JSON writes them. Integers keep every digit, and a double is the one that is nearest to what is written.

// @ts-ignore: decorator
@inline const MINUS: u8 = 0x2d; // -
// @ts-ignore: decorator
@inline const POINT: u8 = 0x2e; // .
// @ts-ignore: decorator
@inline const ZERO: u8 = 0x30; // 0

// @ts-ignore: decorator
@inline function isDigit(byte: u8): bool {
  return <u8>(byte - ZERO) < 10;
}

/** Whether the number at `at` is digits alone, and fits. */
export function isU64(at: usize, end: usize): bool {
  // 2^64 - 1 has 20 digits; JSON has no zeros before others.
  if (end - at > 20) return false;
  let value: u64 = 0;
  for (; at < end; at++) {
    const byte = load<u8>(at);
    if (!isDigit(byte)) return false;
    const digit = <u64>(byte - ZERO);
    if (value > (u64.MAX_VALUE - digit) / 10) return false;
    value = value * 10 + digit;
  }
  return true;
}

/** The value of one that does. */
export function toU64(at: usize, end: usize): u64 {
  let value: u64 = 0;
  for (; at < end; at++) value = value * 10 + <u64>(load<u8>(at) - ZERO);
  return value;
}

export function isI64(at: usize, end: usize): bool {
  const negative = load<u8>(at) == MINUS;
  if (negative) at++;
  if (!isU64(at, end)) return false;
  return toU64(at, end) <= <u64>i64.MAX_VALUE + (negative ? 1 : 0);
}

export function toI64(at: usize, end: usize): i64 {
  if (load<u8>(at) == MINUS) return -(<i64>toU64(at + 1, end));
  return <i64>toU64(at, end);
}

/** Digits beyond these cannot change which double is nearest, except by being there. */
const MOST_DIGITS = 770;

/** The double that is nearest to the number; infinite where there is none. */
export function toF64(at: usize, end: usize): f64 {
  const negative = load<u8>(at) == MINUS;
  if (negative) at++;
  const value = magnitude(at, end);
  return negative ? -value : value;
}

function magnitude(at: usize, end: usize): f64 {
  let big: Big | null = null; // all digits, where they are more than 19
  let digits = 0; // without zeros before them
  let exponent: i64 = 0; // of ten
  let small: u64 = 0; // the first 19 digits
  let lost = false; // whether digits other than 0 were left out
  let fraction = false;
  for (; at < end; at++) {
    const byte = load<u8>(at);
    if (byte == POINT) {
      fraction = true;
      continue;
    }
    if (!isDigit(byte)) break;
    const digit = <u32>(byte - ZERO);
    if (digits < MOST_DIGITS) {
      if (digits > 0 || digit > 0) {
        digits++;
        if (digits <= 19) {
          small = small * 10 + <u64>digit;
        } else {
          const all: Big = big ? big : Big.of(small);
          all.multiply(10, digit);
          big = all;
        }
      }
      if (fraction) exponent--;
    } else {
      if (digit > 0) lost = true;
      if (!fraction) exponent++;
    }
  }
  if (digits == 0) return 0;
  if (at < end) exponent += writtenExponent(at + 1, end);
  // One double for a mantissa, one for a power of ten: where both are exact, the hardware rounds once.
  if (digits <= 15 && exponent >= -22 && exponent <= 22) {
    return exponent < 0 ? <f64>small / power(<i32>-exponent) : <f64>small * power(<i32>exponent);
  }
  if (<i64>digits + exponent > 310) return Infinity;
  if (<i64>digits + exponent < -330) return 0;
  const above = big ? big : Big.of(small);
  if (lost) {
    above.multiply(10, 1);
    exponent--;
  }
  const below = Big.of(1);
  for (let e = exponent; e > 0; e--) above.multiply(10, 0);
  for (let e = exponent; e < 0; e++) below.multiply(10, 0);
  return quotient(above, below);
}

function writtenExponent(at: usize, end: usize): i64 {
  const sign = load<u8>(at);
  if (!isDigit(sign)) at++;
  let value: i64 = 0;
  for (; at < end; at++) {
    // Beyond any double: no more digits are needed to know that.
    if (value < 1_000_000_000) value = value * 10 + <i64>(load<u8>(at) - ZERO);
  }
  return sign == MINUS ? -value : value;
}

function power(exponent: i32): f64 {
  let value: f64 = 1;
  for (; exponent > 0; exponent--) value *= 10; // exact up to 10^22
  return value;
}

/** The double that is nearest to `above / below`, even where two are. */
function quotient(above: Big, below: Big): f64 {
  // Both are brought to 1 <= above / below < 2, which is then taken times 2^exponent.
  let exponent = above.bits - below.bits;
  if (exponent > 0) below.shift(exponent);
  else above.shift(-exponent);
  if (above.compare(below) < 0) {
    above.shift(1);
    exponent--;
  }
  const bits = exponent >= -1022 ? 53 : 53 + 1022 + exponent; // fewer where the double is subnormal
  if (bits < 0) return 0;
  let mantissa: u64 = 0;
  for (let i = 0; i < bits; i++) {
    mantissa <<= 1;
    if (above.compare(below) >= 0) {
      above.subtract(below);
      mantissa |= 1;
    }
    above.shift(1);
  }
  // What is left is a half or more of the last bit where it is not below `below`.
  const half = above.compare(below);
  if (half > 0 || (half == 0 && (mantissa & 1) == 1)) mantissa++;
  if (exponent < -1022) return reinterpret<f64>(mantissa);
  // The first bit is not written, and one that was carried over raises the exponent.
  const written = (<u64>(exponent + 1022) << 52) + mantissa;
  return exponent > 1023 || written >= 0x7ff0000000000000 ? Infinity : reinterpret<f64>(written);
}

/** A natural number of any size, 32 bits an item, the lowest first; no zeros at the end. */
class Big {
  items: Array<u32> = new Array<u32>();

  static of(value: u64): Big {
    const big = new Big();
    for (let rest = value; rest > 0; rest >>= 32) big.items.push(<u32>rest);
    return big;
  }

  get bits(): i32 {
    const count = this.items.length;
    return count == 0 ? 0 : count * 32 - <i32>clz(this.items[count - 1]);
  }

  multiply(by: u32, plus: u32): void {
    const items = this.items;
    let rest = <u64>plus;
    for (let i = 0; i < items.length; i++) {
      rest += <u64>items[i] * <u64>by;
      items[i] = <u32>rest;
      rest >>= 32;
    }
    if (rest > 0) items.push(<u32>rest);
  }

  /** Times two to the power of `bits`. */
  shift(bits: i32): void {
    const items = this.items;
    if (items.length == 0) return;
    const within = bits & 31;
    if (within > 0) {
      let rest: u32 = 0;
      for (let i = 0; i < items.length; i++) {
        const item = items[i];
        items[i] = (item << within) | rest;
        rest = item >> (32 - within);
      }
      if (rest > 0) items.push(rest);
    }
    const whole = bits >> 5;
    if (whole == 0) return;
    const count = items.length;
    items.length = count + whole;
    for (let i = count - 1; i >= 0; i--) items[i + whole] = items[i];
    for (let i = 0; i < whole; i++) items[i] = 0;
  }

  compare(other: Big): i32 {
    const a = this.items;
    const b = other.items;
    if (a.length != b.length) return a.length < b.length ? -1 : 1;
    for (let i = a.length - 1; i >= 0; i--) {
      if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    }
    return 0;
  }

  /** Takes a number away that is not larger. */
  subtract(other: Big): void {
    const a = this.items;
    const b = other.items;
    let borrow: i64 = 0;
    for (let i = 0; i < a.length; i++) {
      const rest = <i64>a[i] - (i < b.length ? <i64>b[i] : 0) + borrow;
      a[i] = <u32>rest;
      borrow = rest >> 32;
    }
    while (a.length > 0 && a[a.length - 1] == 0) a.pop();
  }
}
