// {{name}} counts. It takes "get", {"add": 3} and "reset", and answers with the count.
package main

import (
	"math"

	"baton"
)

// {{Type}} is the actor's state: what outlives an instance, and is handed to the next one, of this version or another.
//
// Add fields as you need them. Once a release has written states, another field is another layout: raise Schema, keep the
// struct as it was, and say in Migrations how it becomes the new one. A field marked omitempty may be missing.
type {{Type}} struct {
	Count uint64 `json:"count"`
}

var plugin = baton.Plugin[{{Type}}]{
	// The name by which baton.toml knows the plugin.
	Name:    "{{name}}",
	Version: "0.1.0",
	Schema:  1,
	Metadata: map[string]string{
		"description": "Counts.",
		// "license": "Apache-2.0",
	},

	Init: start,
	// What it can be asked. Word takes a message that is just its name, With one that brings a value.
	Handle: baton.Commands[{{Type}}]{
		"get":   baton.Word((*{{Type}}).get),
		"add":   baton.With((*{{Type}}).add),
		"reset": baton.Word((*{{Type}}).reset),
	},

	// What must hold of every state that is taken over. One that breaks it is refused, and kept for an operator to see.
	// Validate: func(s *{{Type}}) error { … },

	// Called when a timer has come due that cx.SetTimer set.
	// Timer: func(s *{{Type}}, cx *baton.Cx, name string) error { … },
}

// start makes a fresh state. It has no effects: what a predecessor left may take the place of it.
func start(cx *baton.Cx) (*{{Type}}, error) {
	var s {{Type}}
	// The arguments, such as args = "40" in baton.toml. Without any, the count begins at 0.
	err := cx.ArgsJSON(&s.Count)
	return &s, err
}

func (s *{{Type}}) get(cx *baton.Cx) (uint64, error) {
	return s.Count, nil
}

// add is given what the message brings: {"add": 3} brings 3. It may be a struct as well.
func (s *{{Type}}) add(cx *baton.Cx, n uint64) (uint64, error) {
	if n > math.MaxUint64-s.Count {
		// A failure is a reply: a code for programs, a message for people. The actor lives on.
		return 0, baton.Failf("overflow", "%d and %d more do not fit", s.Count, n)
	}
	s.Count += n
	cx.Debug("added", "n", n, "count", s.Count)
	// Without this, the state is saved when the actor stops, and a crash gives back what was saved before.
	// cx.Save()
	return s.Count, nil
}

func (s *{{Type}}) reset(cx *baton.Cx) (uint64, error) {
	s.Count = 0
	return 0, nil
}

func init() { baton.Register(plugin) }

// main is never called: a plugin is asked through its exports.
func main() {}
