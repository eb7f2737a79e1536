package batontest

import (
	"encoding/json"
	"time"

	"baton"
)

// Message is what the actor sent, called or dispatched.
type Message struct {
	// To is the name of the actor that it goes to.
	To   string
	Body []byte
	// Timeout is how long the actor would wait, where it called.
	Timeout time.Duration
}

// Into reads the body as JSON.
func (m Message) Into(value any) error { return json.Unmarshal(m.Body, value) }

// Line is a line of the log.
type Line struct {
	Level   baton.Level
	Message string
	Fields  []baton.Field
}

// Field is the value of a field; empty where there is none of the name.
func (l Line) Field(name string) string {
	for _, field := range l.Fields {
		if field.Name == name {
			return field.Value
		}
	}
	return ""
}

// World is all that stands around an actor under test: what it has asked of its host is written down, and the test says
// what the host answers. Effects of a turn that failed are among it as well, as a host lets them leave.
type World struct {
	self      string
	nowMs     uint64
	remaining *time.Duration
	random    uint64
	messages  uint64
	refusal   error
	answers   map[string]answer
	sent      []Message
	called    []Message
	logged    []Line
	timers    map[string]uint64
	saves     int
	stopped   bool
	around
}

type answer struct {
	reply []byte
	err   error
}

func newWorld(nowMs uint64) *World {
	return &World{nowMs: nowMs, answers: map[string]answer{}, timers: map[string]uint64{}, around: newAround()}
}

// Clock is where the clock stands.
func (w *World) Clock() time.Time { return time.UnixMilli(int64(w.nowMs)).UTC() }

// SetClock sets the clock. No timer fires.
func (w *World) SetClock(now time.Time) { w.nowMs = uint64(now.UnixMilli()) }

// SetRemaining sets what Cx.Remaining tells. Left out, there is no limit.
func (w *World) SetRemaining(d time.Duration) { w.remaining = &d }

// Answer lets calls to that actor be answered with reply as JSON from now on. A call without an answer gets
// baton.ErrUnknownActor.
func (w *World) Answer(actor string, reply any) {
	body, err := json.Marshal(reply)
	if err != nil {
		panic(err)
	}
	w.answers[actor] = answer{reply: body}
}

// AnswerBytes is Answer with the reply as it is.
func (w *World) AnswerBytes(actor string, reply []byte) { w.answers[actor] = answer{reply: reply} }

// AnswerError lets calls to that actor fail from now on: with a HostError such as baton.ErrTimeout, or with what
// baton.Fail makes.
func (w *World) AnswerError(actor string, err error) { w.answers[actor] = answer{err: err} }

// RefuseSends lets the host refuse whatever the actor sends or sets from now on, with baton.ErrSendDenied or
// baton.ErrSendLimit; nil ends that.
func (w *World) RefuseSends(err error) { w.refusal = err }

// Sent is what the actor has sent since this was asked last.
func (w *World) Sent() []Message { return take(&w.sent) }

// Called is what the actor has called since this was asked last.
func (w *World) Called() []Message { return take(&w.called) }

// Logged is what the actor has logged since this was asked last.
func (w *World) Logged() []Line { return take(&w.logged) }

// Timers are those that are set, with what is left until they come due.
func (w *World) Timers() map[string]time.Duration {
	timers := map[string]time.Duration{}
	for name, due := range w.timers {
		timers[name] = time.Duration(int64(due)-int64(w.nowMs)) * time.Millisecond
	}
	return timers
}

// Saves counts how often the actor has asked to be saved.
func (w *World) Saves() int { return w.saves }

// Stopped is whether the actor has asked to stop.
func (w *World) Stopped() bool { return w.stopped }

func take[T any](list *[]T) []T {
	taken := *list
	*list = nil
	return taken
}

// nextTimer is the one that comes due first, at until at the latest.
func (w *World) nextTimer(until uint64) (name string, due uint64, ok bool) {
	for candidate, at := range w.timers {
		if at <= until && (!ok || at < due || at == due && candidate < name) {
			name, due, ok = candidate, at, true
		}
	}
	return name, due, ok
}
