package batontest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"testing"

	"baton"
)

// Answer is what came of a call.
type Answer struct {
	t     testing.TB
	asked any
	json  bool
	// Reply is empty where Err is not nil.
	Reply []byte
	// Err is nil, or a *baton.Failure.
	Err error
}

// Is expects that reply: as JSON text where the plugin's messages are JSON, so that spaces and the order of names don't
// matter, and byte for byte where they are not.
func (a *Answer) Is(want string) *Answer {
	a.t.Helper()
	switch {
	case a.Err != nil:
		a.t.Errorf("%v: it failed: %v; want %s", a.asked, a.Err, want)
	case a.json && !sameJSON(a.Reply, []byte(want)), !a.json && string(a.Reply) != want:
		a.t.Errorf("%v: the reply is %s; want %s", a.asked, a.Reply, want)
	}
	return a
}

// Fails expects a failure with that code.
func (a *Answer) Fails(code string) *Answer {
	a.t.Helper()
	if a.Err == nil {
		a.t.Errorf("%v: the reply is %s; want a failure with the code %q", a.asked, a.Reply, code)
	} else if got := Code(a.Err); got != code {
		a.t.Errorf("%v: it failed with %v; want the code %q", a.asked, a.Err, code)
	}
	return a
}

// Into reads the reply as JSON. The test ends if there is none.
func (a *Answer) Into(value any) {
	a.t.Helper()
	if a.Err != nil {
		a.t.Fatalf("%v: it failed: %v", a.asked, a.Err)
	}
	if err := json.Unmarshal(a.Reply, value); err != nil {
		a.t.Fatalf("%v: the reply %s: %v", a.asked, a.Reply, err)
	}
}

// Code is that of a failure; empty where err is none.
func Code(err error) string {
	if failed := (*baton.Failure)(nil); errors.As(err, &failed) {
		return failed.Code
	}
	return ""
}

func (a *Actor[S]) takesJSON() bool { return a.instance.Describe().Messages == "application/json" }

func (a *Actor[S]) body(body any) []byte {
	a.t.Helper()
	switch body := body.(type) {
	case []byte:
		return body
	case string:
		if a.takesJSON() && !json.Valid([]byte(body)) {
			return encode(a.t, body)
		}
		return []byte(body)
	}
	a.t.Fatalf("a body is text or bytes; this is %T", body)
	return nil
}

func encode(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatalf("%v cannot be written as JSON: %v", value, err)
	}
	return text
}

// sameJSON compares values: 3 and 3.0 are the same number, and names have no order.
func sameJSON(a, b []byte) bool {
	x, errX := decode(a)
	y, errY := decode(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func decode(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if decoder.More() {
		return nil, errors.New("more than one value")
	}
	return plain(value), nil
}

// plain gives each number one form.
func plain(value any) any {
	switch value := value.(type) {
	case json.Number:
		if n, ok := new(big.Rat).SetString(value.String()); ok {
			return n.RatString()
		}
		return fmt.Sprint(value)
	case []any:
		for i := range value {
			value[i] = plain(value[i])
		}
	case map[string]any:
		for name := range value {
			value[name] = plain(value[name])
		}
	}
	return value
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }
