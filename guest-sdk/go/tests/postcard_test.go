package tests

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"

	"baton/postcard"
)

// What Rust's postcard 1.1 writes of the same values.
func TestPostcardBytesAreKnown(t *testing.T) {
	for want, write := range map[string]func(*postcard.Writer){
		"00":                   func(w *postcard.Writer) { w.Uint(0) },
		"7f":                   func(w *postcard.Writer) { w.Uint(127) },
		"8001":                 func(w *postcard.Writer) { w.Uint(128) },
		"ac02":                 func(w *postcard.Writer) { w.Uint(300) },
		"ffffffffffffffffff01": func(w *postcard.Writer) { w.Uint(math.MaxUint64) },
		"01":                   func(w *postcard.Writer) { w.Int(-1) },
		"feff03":               func(w *postcard.Writer) { w.Int(math.MaxInt16) },
		"ff":                   func(w *postcard.Writer) { w.Int8(-1) },
		"000000000000f83f":     func(w *postcard.Writer) { w.Float64(1.5) },
		"0000c03f":             func(w *postcard.Writer) { w.Float32(1.5) },
		"036162c3":             func(w *postcard.Writer) { w.ByteSlice([]byte("ab\xc3")) },
		"02c3a4":               func(w *postcard.Writer) { w.Text("ä") },
		"0100":                 func(w *postcard.Writer) { w.Some(true); w.Some(false) },
		"02020304":             func(w *postcard.Writer) { w.Variant(2); w.Len(2); w.Byte(3); w.Byte(4) },
	} {
		var w postcard.Writer
		if write(&w); hex.EncodeToString(w.Bytes()) != want {
			t.Errorf("%x; want %s", w.Bytes(), want)
		}
	}
}

func TestPostcardReadsWhatItWrote(t *testing.T) {
	var w postcard.Writer
	w.Uint(math.MaxUint64)
	w.Uint(math.MaxUint32)
	w.Uint(math.MaxUint16)
	w.Int(math.MinInt64)
	w.Int(math.MinInt32)
	w.Int(math.MinInt16)
	w.Int8(math.MinInt8)
	w.Byte(255)
	w.Bool(true)
	w.Some(false)
	w.Float32(-0.1)
	w.Float64(math.Inf(-1))
	w.Text("tä")
	w.ByteSlice([]byte{0, 255})
	w.Variant(7)
	w.Len(0)
	r := postcard.NewReader(w.Bytes())
	if r.Uint() != math.MaxUint64 || r.Uint32() != math.MaxUint32 || r.Uint16() != math.MaxUint16 ||
		r.Int() != math.MinInt64 || r.Int32() != math.MinInt32 || r.Int16() != math.MinInt16 || r.Int8() != math.MinInt8 ||
		r.Byte() != 255 || !r.Bool() || r.Some() || r.Float32() != -0.1 || r.Float64() != math.Inf(-1) ||
		r.Text() != "tä" || !bytes.Equal(r.ByteSlice(), []byte{0, 255}) || r.Variant(8) != 7 || r.Len() != 0 || r.End() != nil {
		t.Error(r.End())
	}
}

func TestPostcardRefusesWhatDoesNotDecode(t *testing.T) {
	for data, c := range map[string]struct {
		read func(*postcard.Reader)
		why  string
	}{
		"":                       {func(r *postcard.Reader) { r.Uint() }, "the bytes end within a number, before byte 0 of 0"},
		"80":                     {func(r *postcard.Reader) { r.Uint() }, "the bytes end within a number, before byte 0 of 1"},
		"ffffffffffffffffff02":   {func(r *postcard.Reader) { r.Uint() }, "a number is too large, before byte 0 of 10"},
		"8080808080808080808000": {func(r *postcard.Reader) { r.Uint() }, "a number is too large, before byte 0 of 11"},
		"8080808010":             {func(r *postcard.Reader) { r.Uint32() }, "a number is too large, before byte 0 of 5"},
		"80808000":               {func(r *postcard.Reader) { r.Uint16() }, "a number is too large, before byte 0 of 4"},
		"02":                     {func(r *postcard.Reader) { r.Bool() }, "neither 0 nor 1 where a yes or no is due, before byte 1 of 1"},
		"03":                     {func(r *postcard.Reader) { r.Variant(3) }, "variant 3 of 3, before byte 1 of 1"},
		"02c328":                 {func(r *postcard.Reader) { r.Text() }, "a text is not UTF-8, before byte 3 of 3"},
		"056162":                 {func(r *postcard.Reader) { r.ByteSlice() }, "a length of 5 is more than there are bytes left, before byte 1 of 3"},
		"00000000":               {func(r *postcard.Reader) { r.Float64() }, "the bytes end too early, before byte 0 of 4"},
		"0000":                   {func(r *postcard.Reader) { r.Byte() }, "1 of 2 bytes are left over"},
		"01":                     {func(r *postcard.Reader) { r.Byte(); r.Fail("a month of 1"); r.Fail("too") }, "a month of 1, before byte 1 of 1"},
	} {
		bytes, _ := hex.DecodeString(data)
		r := postcard.NewReader(bytes)
		c.read(r)
		r.Uint() // after an error nothing is read
		if err := r.End(); data != "0000" && (err == nil || err.Error() != c.why) {
			t.Errorf("%s: %v; want %s", data, err, c.why)
		}
	}
	if r := postcard.NewReader([]byte{0, 0}); r.Byte() != 0 || r.End().Error() != "1 of 2 bytes are left over" {
		t.Error(r.End())
	}
}
