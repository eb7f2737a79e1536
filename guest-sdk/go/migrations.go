package baton

import "slices"

// Migration is a layout besides the current one that a plugin reads: made by Migrate, MigrateFrom or Newer.
type Migration[S any] struct {
	schema uint32
	newer  bool
	// decode reads the layout, step makes the next one of it, or S where it is the last.
	decode func([]byte) (any, error)
	step   func(any) (any, error)
	// from and to are nil pointers of the types that step takes and makes, to compare.
	from, to any
}

// Migrate is the step from schema, written as JSON, to the one after it. The chain of steps leads up to Plugin.Schema
// without a gap, each from the type that the one before it makes, and the last makes an S:
//
//	Migrations: []baton.Migration[Cart]{
//		baton.Migrate[Cart](1, func(old *cartV1) (*cartV2, error) { … }),
//		baton.Migrate[Cart](2, func(old *cartV2) (*Cart, error) { … }),
//	}
//
// What a step cannot carry was never a state of the older plugin: an error refuses it as corrupt.
func Migrate[S, From, To any](schema uint32, step func(old *From) (*To, error)) Migration[S] {
	return MigrateFrom[S](schema, JSONState[From](), step)
}

// MigrateFrom is Migrate from a layout that is not written as JSON.
func MigrateFrom[S, From, To any](schema uint32, encoding Encoding[From], step func(old *From) (*To, error)) Migration[S] {
	return Migration[S]{
		schema: schema,
		decode: func(data []byte) (any, error) { return encoding.Decode(data) },
		step:   func(old any) (any, error) { return step(old.(*From)) },
		from:   (*From)(nil),
		to:     (*To)(nil),
	}
}

// Newer is the way back from a schema above Plugin.Schema. What cannot be carried back is in order, and still readable
// by the plugin that wrote it: an error refuses it as incompatible.
func Newer[S, From any](schema uint32, encoding Encoding[From], back func(newer *From) (*S, error)) Migration[S] {
	m := MigrateFrom[S](schema, encoding, back)
	m.newer = true
	return m
}

// checkMigrations says where the chain has a gap: what a plugin says that it reads is a range.
func checkMigrations[S any](migrations []Migration[S], current uint32) error {
	older, newer := sorted(migrations)
	for i, m := range older {
		want := current - uint32(len(older)-i)
		if uint32(len(older)) > current || m.schema != want {
			return problem("Migrations must lead up to schema " + number(current) + " without a gap; " + number(m.schema) + " stands in the wrong place")
		}
		next := any((*S)(nil))
		if i+1 < len(older) {
			next = older[i+1].from
		}
		if m.to != next {
			return problem("the migration from schema " + number(m.schema) + " makes another type than schema " + number(m.schema+1) + " is read as")
		}
	}
	for i, m := range newer {
		if m.schema != current+1+uint32(i) {
			return problem("newer layouts must follow schema " + number(current) + " without a gap; " + number(m.schema) + " stands in the wrong place")
		}
	}
	return nil
}

// readRange is the oldest and the newest schema that is read.
func readRange[S any](migrations []Migration[S], current uint32) (oldest, newest uint32) {
	older, newer := sorted(migrations)
	return current - uint32(len(older)), current + uint32(len(newer))
}

func sorted[S any](migrations []Migration[S]) (older, newer []Migration[S]) {
	for _, m := range migrations {
		if m.newer {
			newer = append(newer, m)
		} else {
			older = append(older, m)
		}
	}
	bySchema := func(a, b Migration[S]) int { return int(int64(a.schema) - int64(b.schema)) }
	slices.SortFunc(older, bySchema)
	slices.SortFunc(newer, bySchema)
	return older, newer
}

// migrate reads a state of another layout and brings it up step by step.
func migrate[S any](migrations []Migration[S], current uint32, written State) (*S, error) {
	older, newer := sorted(migrations)
	steps := newer
	if written.Schema < current {
		steps = older
	}
	first := slices.IndexFunc(steps, func(m Migration[S]) bool { return m.schema == written.Schema })
	if first < 0 {
		oldest, newest := readRange(migrations, current)
		return nil, &Refusal{Incompatible, "schema " + number(written.Schema) + " is not among " + number(oldest) + " to " + number(newest)}
	}
	state, err := steps[first].decode(written.Data)
	if err != nil {
		return nil, corrupt(written.Schema, err.Error())
	}
	if steps[first].newer {
		steps = steps[:first+1] // straight back
	}
	for _, m := range steps[first:] {
		if state, err = m.step(state); err != nil {
			return nil, stepError(m.newer, m.schema, current, written.Schema, err)
		}
	}
	result, ok := state.(*S)
	if !ok || result == nil {
		return nil, corrupt(written.Schema, "a migration made nothing of it")
	}
	return result, nil
}

func stepError(newer bool, from, current, written uint32, err error) error {
	if newer {
		return &Refusal{Incompatible, "state of schema " + number(written) + ": there is no way back to " + number(current) + ": " + err.Error()}
	}
	return corrupt(written, "schema "+number(from)+" does not become "+number(from+1)+": "+err.Error())
}
