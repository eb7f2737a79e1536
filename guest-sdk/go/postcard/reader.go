package postcard

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// Reader reads values one after the other. After something that does not decode it gives zero values, and Err says what
// it was: so check once, at the end.
type Reader struct {
	data []byte
	at   int
	err  error
}

// NewReader reads data.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

// Err is the first thing that did not decode; nil while all has.
func (r *Reader) Err() error { return r.err }

// End is Err, or an error if bytes are left over.
func (r *Reader) End() error {
	if r.err == nil && r.at < len(r.data) {
		return errors.New(strconv.Itoa(len(r.data)-r.at) + " of " + strconv.Itoa(len(r.data)) + " bytes are left over")
	}
	return r.err
}

// Fail makes why the error, unless there is one already: for values that decode and still cannot be.
func (r *Reader) Fail(why string) {
	if r.err == nil {
		r.err = errors.New(why + ", before byte " + strconv.Itoa(r.at) + " of " + strconv.Itoa(len(r.data)))
	}
}

// Uint reads Rust's u64 or usize.
func (r *Reader) Uint() uint64 { return r.uint(math.MaxUint64) }

// Uint32 reads Rust's u32.
func (r *Reader) Uint32() uint32 { return uint32(r.uint(math.MaxUint32)) }

// Uint16 reads Rust's u16.
func (r *Reader) Uint16() uint16 { return uint16(r.uint(math.MaxUint16)) }

// Int reads Rust's i64 or isize.
func (r *Reader) Int() int64 { return zigzag(r.uint(math.MaxUint64)) }

// Int32 reads Rust's i32.
func (r *Reader) Int32() int32 { return int32(zigzag(r.uint(math.MaxUint32))) }

// Int16 reads Rust's i16.
func (r *Reader) Int16() int16 { return int16(zigzag(r.uint(math.MaxUint16))) }

func zigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

func (r *Reader) uint(most uint64) uint64 {
	if r.err != nil {
		return 0
	}
	n, size := binary.Uvarint(r.data[r.at:])
	switch {
	case size == 0:
		r.Fail("the bytes end within a number")
		return 0
	case size < 0 || n > most || size > (bits.Len64(most)+6)/7:
		r.Fail("a number is too large")
		return 0
	}
	r.at += size
	return n
}

// Byte reads Rust's u8.
func (r *Reader) Byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// Int8 reads Rust's i8.
func (r *Reader) Int8() int8 { return int8(r.Byte()) }

// Bool reads 0 or 1.
func (r *Reader) Bool() bool {
	switch r.Byte() {
	case 0:
		return false
	case 1:
		return r.err == nil
	}
	r.Fail("neither 0 nor 1 where a yes or no is due")
	return false
}

// Float32 reads four bytes.
func (r *Reader) Float32() float32 {
	if b := r.take(4); b != nil {
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// Float64 reads eight bytes.
func (r *Reader) Float64() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// Text reads a text.
func (r *Reader) Text() string {
	b := r.take(r.Len())
	if !utf8.Valid(b) {
		r.Fail("a text is not UTF-8")
		return ""
	}
	return string(b)
}

// ByteSlice reads bytes, as a copy.
func (r *Reader) ByteSlice() []byte { return append([]byte(nil), r.take(r.Len())...) }

// Len reads how many items follow. It is never more than there are bytes left, so that a loop over it, and a slice made
// for it, is bounded by the data; items that take no bytes at all are not counted this way.
func (r *Reader) Len() int {
	n := r.Uint()
	if n > uint64(len(r.data)-r.at) {
		r.Fail("a length of " + strconv.FormatUint(n, 10) + " is more than there are bytes left")
		return 0
	}
	return int(n)
}

// Some reads whether a value follows.
func (r *Reader) Some() bool { return r.Bool() }

// Variant reads which of so many variants of an enum follows.
func (r *Reader) Variant(count uint32) uint32 {
	n := r.Uint32()
	if n >= count && r.err == nil {
		r.Fail("variant " + strconv.FormatUint(uint64(n), 10) + " of " + strconv.FormatUint(uint64(count), 10))
		return 0
	}
	return n
}

func (r *Reader) take(n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > len(r.data)-r.at {
		r.Fail("the bytes end too early")
		return nil
	}
	b := r.data[r.at : r.at+n : r.at+n]
	r.at += n
	return b
}
