package batontest

import (
	"maps"
	"time"

	"baton"
)

// Handover is what goes from one instance to the next: made by Terminate and Snapshot, or by hand from the bytes that an
// older version once wrote.
type Handover struct {
	// Name of the actor. Left out, it is the plugin's with /1 behind it.
	Name string
	Args []byte
	// State as bytes. Keep those of each released schema in a test: they are what will really be handed over.
	State baton.State
	// Origin says how the state came to be left.
	Origin     baton.Origin
	Generation uint64
	// WrittenBy is the version of the plugin that wrote the state.
	WrittenBy string
	// Age of the state when it is taken over. The replacement's clock is that much ahead.
	Age time.Duration

	timers map[string]uint64
	nowMs  uint64
}

// Written is a state as it came out of a store, left at a shutdown.
func Written[Bytes string | []byte](schema uint32, data Bytes) Handover {
	return Handover{
		State:      baton.State{Schema: schema, Data: []byte(data)},
		Origin:     baton.Origin{Kind: baton.Terminated, Reason: baton.StopShutdown},
		Generation: 1,
		WrittenBy:  "0.0.0",
		nowMs:      uint64(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()),
	}
}

func (h *Handover) handoff() *baton.Handoff {
	return &baton.Handoff{
		// A copy: what an actor does to its bytes is not to reach the test's.
		State:      baton.State{Schema: h.State.Schema, Data: append([]byte(nil), h.State.Data...)},
		Origin:     h.Origin,
		Generation: h.Generation,
		WrittenBy:  h.WrittenBy,
		AgeMs:      uint64(h.Age.Milliseconds()),
	}
}

func (a *Actor[S]) handover(state baton.State, origin baton.Origin) Handover {
	return Handover{
		Name: a.name, Args: a.args, State: state, Origin: origin, Generation: a.generation,
		WrittenBy: a.plugin.Version, timers: maps.Clone(a.timers), nowMs: a.nowMs,
	}
}
