// Package baton writes plugins for Baton in Go.
//
// A plugin is a [Plugin] that the program's init function hands to [Register]. Its type parameter is the actor's state:
// what outlives the instance and is handed to the next one, of this version or of another.
//
//	package main
//
//	import "baton"
//
//	// Counter is the state.
//	type Counter struct {
//		Count uint64 `json:"count"`
//	}
//
//	func (c *Counter) get(cx *baton.Cx) (uint64, error) { return c.Count, nil }
//
//	func (c *Counter) add(cx *baton.Cx, n uint64) (uint64, error) {
//		c.Count += n
//		return c.Count, nil
//	}
//
//	func init() {
//		baton.Register(baton.Plugin[Counter]{
//			Name:    "counter",
//			Version: "1.0.0",
//			Schema:  1,
//			Init:    func(cx *baton.Cx) (*Counter, error) { return &Counter{}, nil },
//			Handle: baton.Commands[Counter]{
//				"get": baton.Word((*Counter).get), // "get"
//				"add": baton.With((*Counter).add), // {"add": 3}
//			},
//		})
//	}
//
//	func main() {} // never called: a plugin is asked through its exports
//
// The package works natively too: package batontest runs a plugin under plain go test.
package baton
