// Package batontest runs a plugin natively, under plain go test, through the code that its exports run through.
//
//	func TestCounts(t *testing.T) {
//		actor := batontest.Start(t, plugin, batontest.Args("40"))
//		actor.Call(`{"add": 3}`).Is(`43`)
//		actor.Call(`{"add": -1}`).Fails("bad-message")
//		next := batontest.Resume(t, plugin, actor.Terminate())
//		next.Call(`"get"`).Is(`43`)
//	}
//
// It writes down what the actor sends, calls, logs, sets and asks of others, answers its calls, and moves the clock, so
// that timers come due. A panic of the actor is a panic of the test.
package batontest

import (
	"errors"
	"testing"
	"time"

	"baton"
)

// Actor is an actor under test.
type Actor[S any] struct {
	t        testing.TB
	plugin   baton.Plugin[S]
	instance *baton.Instance[S]
	*World
	name       string
	args       []byte
	generation uint64
	trapsExits bool
}

// Option says how an actor is started.
type Option func(*options)

type options struct {
	name string
	args []byte
	now  time.Time
}

// Name is the actor's name. Left out, it is the plugin's with /1 behind it.
func Name(name string) Option { return func(o *options) { o.name = name } }

// Args is what the actor is started with.
func Args(args string) Option { return func(o *options) { o.args = []byte(args) } }

// Now is where the clock stands. Left out, that is the beginning of 2026.
func Now(now time.Time) Option { return func(o *options) { o.now = now } }

// Start starts an actor that has left nothing before. The test ends if it does not start.
func Start[S any](t testing.TB, plugin baton.Plugin[S], with ...Option) *Actor[S] {
	t.Helper()
	actor, err := TryStart(t, plugin, with...)
	if err != nil {
		t.Fatalf("the actor does not start: %v", err)
	}
	return actor
}

// TryStart is Start where the actor may fail: with a *baton.Failure of Init, or a *baton.Refusal of Started.
func TryStart[S any](t testing.TB, plugin baton.Plugin[S], with ...Option) (*Actor[S], error) {
	t.Helper()
	o := options{name: plugin.Name + "/1", now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, option := range with {
		option(&o)
	}
	return begin(t, plugin, newWorld(uint64(o.now.UnixMilli())), o.name, o.args, 1, nil)
}

// Resume starts the replacement of an actor that has ended, perhaps of another version of the plugin. The test ends if it
// does not take the state over.
func Resume[S any](t testing.TB, plugin baton.Plugin[S], handover Handover) *Actor[S] {
	t.Helper()
	actor, err := TryResume(t, plugin, handover)
	if err != nil {
		t.Fatalf("the state is not taken over: %v", err)
	}
	return actor
}

// TryResume is Resume where the state may be refused, with a *baton.Refusal, or Init fail, with a *baton.Failure.
func TryResume[S any](t testing.TB, plugin baton.Plugin[S], handover Handover) (*Actor[S], error) {
	t.Helper()
	name := handover.Name
	if name == "" {
		name = plugin.Name + "/1"
	}
	world := newWorld(handover.nowMs + uint64(handover.Age.Milliseconds()))
	for timer, due := range handover.timers {
		world.timers[timer] = due
	}
	return begin(t, plugin, world, name, handover.Args, handover.Generation+1, handover.handoff())
}

func begin[S any](t testing.TB, plugin baton.Plugin[S], world *World, name string, args []byte, generation uint64, handoff *baton.Handoff) (*Actor[S], error) {
	t.Helper()
	if err := plugin.Check(); err != nil {
		t.Fatalf("the plugin is not in order: %v", err)
	}
	a := &Actor[S]{
		t: t, plugin: plugin, World: world, name: name, args: args, generation: generation,
		instance: baton.NewInstance(plugin, baton.Host((*recorder)(world))),
	}
	world.self = name
	trapsExits, failed := a.instance.Init(name, args)
	if failed != nil {
		return nil, failed
	}
	a.trapsExits = trapsExits
	if refused := a.instance.Continue(generation, handoff); refused != nil {
		return nil, refused
	}
	return a, nil
}

// State is the state as it stands.
func (a *Actor[S]) State() *S { return a.instance.StateNow() }

// TrapsExits is whether the actor has said that it traps exits.
func (a *Actor[S]) TrapsExits() bool { return a.trapsExits }

// Call calls the actor from outside. The body is text or bytes, taken as baton call takes it: text that is no JSON is sent
// as a JSON string, where the plugin's messages are JSON.
func (a *Actor[S]) Call(body any) *Answer { return a.CallFrom("", body) }

// CallFrom calls the actor as another actor would.
func (a *Actor[S]) CallFrom(sender string, body any) *Answer {
	a.t.Helper()
	reply, err := a.handle(baton.Message{Kind: baton.MessageCall, Sender: sender, Body: a.body(body)})
	return &Answer{t: a.t, asked: body, json: a.takesJSON(), Reply: reply, Err: err}
}

// Cast sends the actor a message that expects no reply. A host would only log the error.
func (a *Actor[S]) Cast(body any) error { return a.CastFrom("", body) }

// CastFrom is Cast as another actor would do it.
func (a *Actor[S]) CastFrom(sender string, body any) error {
	a.t.Helper()
	_, err := a.handle(baton.Message{Kind: baton.MessageCast, Sender: sender, Body: a.body(body)})
	return err
}

// Down tells the actor that one it monitors has ended.
func (a *Actor[S]) Down(actor, reason string) error {
	_, err := a.handle(baton.Message{Kind: baton.MessageDown, Actor: actor, Reason: reason})
	return err
}

// Exit tells the actor that one it is linked to has ended. A host tells those alone who trap exits.
func (a *Actor[S]) Exit(actor, reason string) error {
	return a.Other("exit", encode(a.t, map[string]string{"actor": actor, "reason": reason}))
}

// Other sends a message of a kind that has no word of its own.
func (a *Actor[S]) Other(kind string, data []byte) error {
	_, err := a.handle(baton.Message{Kind: baton.MessageOther, Name: kind, Body: data})
	return err
}

// FireTimer makes a timer come due now.
func (a *Actor[S]) FireTimer(name string) error {
	if _, set := a.timers[name]; !set {
		return baton.Fail("no-such-timer", "the actor has set no timer "+name)
	}
	delete(a.timers, name)
	_, err := a.handle(baton.Message{Kind: baton.MessageTimer, Name: name})
	return err
}

// Advance moves the clock on, and makes the timers that come due meanwhile fire in their order, each at its time. It
// gives their failures.
func (a *Actor[S]) Advance(by time.Duration) error {
	until := a.nowMs + uint64(max(by, 0).Milliseconds())
	var failed []error
	for {
		name, due, ok := a.nextTimer(until)
		if !ok {
			a.nowMs = until
			return errors.Join(failed...)
		}
		a.nowMs = max(a.nowMs, due)
		if err := a.FireTimer(name); err != nil {
			failed = append(failed, err)
		}
	}
}

func (a *Actor[S]) handle(m baton.Message) ([]byte, error) {
	a.messages++
	m.ID = "message-" + number(a.messages)
	reply, failed := a.instance.Handle(m)
	if failed != nil {
		return nil, failed
	}
	return reply, nil
}

// Snapshot is what a replacement would be handed now, the actor going on.
func (a *Actor[S]) Snapshot() Handover {
	a.t.Helper()
	state, failed := a.instance.Snapshot()
	if failed != nil {
		a.t.Fatalf("the state cannot be saved: %v", failed)
	}
	return a.handover(state, baton.Origin{Kind: baton.Switched})
}

// Terminate tells the actor to stop because its host shuts down, and gives what its replacement will be handed. The test
// ends if it leaves no state.
func (a *Actor[S]) Terminate() Handover {
	a.t.Helper()
	leave, handover, err := a.Stop(baton.StopShutdown, baton.NoLimit)
	if err != nil {
		a.t.Fatalf("the actor does not end well: %v", err)
	}
	if leave != baton.LeaveSave {
		a.t.Fatalf("the actor leaves no state")
	}
	return handover
}

// Stop tells the actor to stop. The Handover is of use where it leaves its state.
func (a *Actor[S]) Stop(reason baton.StopReason, within baton.Budget) (baton.Leave, Handover, error) {
	leave, state, failed := a.instance.Terminate(reason, within)
	if failed != nil {
		return leave, Handover{}, failed
	}
	return leave, a.handover(state, baton.Origin{Kind: baton.Terminated, Reason: reason}), nil
}

// handOver goes on with a new instance in the same world, as at a swap.
func (a *Actor[S]) handOver() error {
	state, failed := a.instance.Snapshot()
	if failed != nil {
		return failed
	}
	handover := a.handover(state, baton.Origin{Kind: baton.Switched})
	// What a fresh state would ask for in its Init is no effect of the actor.
	next, err := begin(a.t, a.plugin, a.World, a.name, a.args, a.generation+1, handover.handoff())
	if err == nil {
		a.instance, a.generation = next.instance, next.generation
	}
	return err
}
