// Package postcard writes and reads values as postcard does (https://postcard.jamesmunns.com/wire-format), value after
// value without names, so that plugins in other languages read the same states.
//
//	func write(w *postcard.Writer, c *Cart) {
//		w.Text(c.Currency)
//		w.Len(len(c.Items))
//		for _, item := range c.Items { … }
//	}
package postcard

import (
	"encoding/binary"
	"math"
)

// Writer writes values one after the other. Its zero value is ready to use.
type Writer struct{ data []byte }

// Bytes are all that was written.
func (w *Writer) Bytes() []byte { return w.data }

// Uint writes Rust's u16, u32, u64 or usize: seven bits to a byte, the lowest first.
func (w *Writer) Uint(n uint64) { w.data = binary.AppendUvarint(w.data, n) }

// Int writes Rust's i16, i32, i64 or isize: zigzag, then as Uint.
func (w *Writer) Int(n int64) { w.data = binary.AppendVarint(w.data, n) }

// Byte writes Rust's u8 as it is.
func (w *Writer) Byte(b byte) { w.data = append(w.data, b) }

// Int8 writes Rust's i8 as one byte.
func (w *Writer) Int8(n int8) { w.data = append(w.data, byte(n)) }

// Bool writes 0 or 1.
func (w *Writer) Bool(b bool) {
	if b {
		w.Byte(1)
	} else {
		w.Byte(0)
	}
}

// Float32 writes four bytes, the lowest first.
func (w *Writer) Float32(f float32) {
	w.data = binary.LittleEndian.AppendUint32(w.data, math.Float32bits(f))
}

// Float64 writes eight bytes, the lowest first.
func (w *Writer) Float64(f float64) {
	w.data = binary.LittleEndian.AppendUint64(w.data, math.Float64bits(f))
}

// Text writes a text, its length before it.
func (w *Writer) Text(s string) {
	w.Len(len(s))
	w.data = append(w.data, s...)
}

// ByteSlice writes bytes, their length before them.
func (w *Writer) ByteSlice(b []byte) {
	w.Len(len(b))
	w.data = append(w.data, b...)
}

// Len writes how many items of a list or entries of a map follow.
func (w *Writer) Len(n int) { w.Uint(uint64(n)) }

// Some writes whether a value follows: Rust's Option.
func (w *Writer) Some(present bool) { w.Bool(present) }

// Variant writes which variant of an enum follows, the first being 0.
func (w *Writer) Variant(index uint32) { w.Uint(uint64(index)) }
