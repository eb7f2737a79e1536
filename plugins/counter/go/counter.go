// Counts. Takes "get", {"add": 3} and "reset", and answers with the count; starts at its argument, or at 0.
package main

import (
	"math"

	"baton"
	"baton/postcard"
)

// Counter is the state.
type Counter struct {
	Count uint64
}

var plugin = baton.Plugin[Counter]{
	Name:     "counter",
	Version:  "1.0.0+go",
	Schema:   1,
	Metadata: map[string]string{"description": "Counts.", "license": "Apache-2.0"},
	// The bytes that counters in other languages write, so that each takes over from the others.
	State: baton.PostcardState(
		func(w *postcard.Writer, c *Counter) { w.Uint(c.Count) },
		func(r *postcard.Reader, c *Counter) { c.Count = r.Uint() },
	),
	Init: start,
	Handle: baton.Commands[Counter]{
		"get":   baton.Word((*Counter).get),
		"add":   baton.With((*Counter).add),
		"reset": baton.Word((*Counter).reset),
	},
}

// start makes a fresh state. Without an argument the count begins at 0.
func start(cx *baton.Cx) (*Counter, error) {
	var c Counter
	if err := cx.ArgsJSON(&c.Count); err != nil {
		return nil, err
	}
	return &c, nil
}

func (c *Counter) get(*baton.Cx) (uint64, error) {
	return c.Count, nil
}

func (c *Counter) add(_ *baton.Cx, n uint64) (uint64, error) {
	if n > math.MaxUint64-c.Count {
		return 0, baton.Failf("overflow", "%d + %d is more than a counter holds (%d)", c.Count, n, uint64(math.MaxUint64))
	}
	c.Count += n
	return c.Count, nil
}

func (c *Counter) reset(*baton.Cx) (uint64, error) {
	c.Count = 0
	return 0, nil
}

func init() { baton.Register(plugin) }

// main is never called: a plugin is asked through its exports.
func main() {}
