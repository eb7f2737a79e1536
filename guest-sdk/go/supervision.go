package baton

import "time"

// This file is what an actor can ask of those around it, under OTP's names. A plugin that asks for none of it does not
// import it.

// Restart says when a child that has ended is started again.
type Restart string

const (
	// Permanent: always. It is what an empty Restart means, too.
	Permanent Restart = "permanent"
	// Transient: after a crash.
	Transient Restart = "transient"
	// Temporary: never.
	Temporary Restart = "temporary"
)

// Shutdown says how long a child may take to stop before it is killed. The zero value is 5 s, as for OTP's workers.
type Shutdown struct {
	kind    shutdownKind
	afterMs uint64
}

type shutdownKind uint8

const (
	shutdownDefault shutdownKind = iota
	shutdownBrutal
	shutdownAfter
	shutdownInfinity
)

var (
	// BrutalKill: it is killed at once, and its Terminate not called.
	BrutalKill = Shutdown{kind: shutdownBrutal}
	// Infinity: as long as it takes.
	Infinity = Shutdown{kind: shutdownInfinity}
)

// ShutdownAfter gives a child that long, 1 ms to 24 h.
func ShutdownAfter(d time.Duration) Shutdown {
	return Shutdown{kind: shutdownAfter, afterMs: milliseconds(d)}
}

// Ms is how many milliseconds a child has; ok is false for BrutalKill and Infinity.
func (s Shutdown) Ms() (ms uint64, ok bool) {
	switch s.kind {
	case shutdownDefault:
		return 5_000, true
	case shutdownAfter:
		return s.afterMs, true
	}
	return 0, false
}

// ChildSpec is an actor to start. Name and Plugin are needed.
type ChildSpec struct {
	// Name is its id, and its name as an actor.
	Name   string
	Plugin string
	// Args are what its Init is given.
	Args     []byte
	Restart  Restart
	Shutdown Shutdown
	// Significant: its end, when it is not started again, counts for its supervisor's auto_shutdown. Never with Permanent.
	Significant bool
}

// ChildKind is "worker" or "supervisor". A host that has learned more may give others.
type ChildKind string

// Kinds of children.
const (
	Worker     ChildKind = "worker"
	Supervisor ChildKind = "supervisor"
)

// ChildState says where a child stands. A host that has learned more may give others than these.
type ChildState string

const (
	// ChildDown: it does not run, and nobody is about to start it: OTP's undefined.
	ChildDown     ChildState = "down"
	ChildStarting ChildState = "starting"
	ChildUp       ChildState = "up"
	// ChildRestarting: it ended, and waits to be started again.
	ChildRestarting ChildState = "restarting"
	ChildStopping   ChildState = "stopping"
	// ChildFailed: it was restarted too often, or would not start, below the root; it stays down until it is started again.
	ChildFailed ChildState = "failed"
)

// ChildInfo is a child as its supervisor sees it.
type ChildInfo struct {
	Name string
	// Supervisor is empty where it stands below the root.
	Supervisor  string
	Kind        ChildKind
	State       ChildState
	Restart     Restart
	Shutdown    Shutdown
	Significant bool
	// Restarts by its supervisor, since it was added.
	Restarts uint64
	// LastExit is how it ended last; empty where it never has.
	LastExit string
}

// Counts is what OTP's count_children says.
type Counts struct {
	// Specs are child specifications; of these, Supervisors are supervisors' and Workers actors'.
	Specs, Supervisors, Workers uint64
	// Active are the children that run, or are being started or stopped.
	Active uint64
}

// Phase says where an actor stands. A host that has learned more may give others than these.
type Phase string

const (
	// PhaseStarting: Init runs.
	PhaseStarting Phase = "starting"
	// PhaseContinuing: its state is being loaded, or taken over.
	PhaseContinuing Phase = "continuing"
	PhaseRunning    Phase = "running"
	// PhaseSuspended: messages and timers wait until it is resumed.
	PhaseSuspended Phase = "suspended"
	// PhaseStopping: it was told to end.
	PhaseStopping Phase = "stopping"
	// PhaseRestarting: it crashed and waits to be started again.
	PhaseRestarting Phase = "restarting"
	// PhaseHeld: parked with a state that nobody could use.
	PhaseHeld Phase = "held"
	// PhaseFailed: it stays down until it is started again.
	PhaseFailed Phase = "failed"
)

// Why something around the actor could not be done at once.
var (
	ErrSupervisionDenied = &HostError{"supervision-denied", "this actor is not allowed to do that"}
	ErrUnknownSupervisor = &HostError{"unknown-supervisor", "there is no supervisor of that name"}
	ErrUnknownChild      = &HostError{"unknown-child", "no supervisor has a child of that name"}
	ErrAlreadyStarted    = &HostError{"already-started", "an actor of that name runs already"}
	ErrAlreadyPresent    = &HostError{"already-present", "a child of that name is there and does not run: restart or delete it"}
	ErrRunning           = &HostError{"running", "the child runs"}
	ErrRestarting        = &HostError{"restarting", "the child is about to be started again"}
	ErrMaxChildren       = &HostError{"max-children", "the supervisor has as many children as it may have"}
	ErrUnknownPlugin     = &HostError{"unknown-plugin", "the host has no plugin of that name"}
	// ErrBadSpec: a name or a child specification cannot be used.
	ErrBadSpec = &HostError{"bad-spec", "that name or child specification cannot be used"}
	// ErrStartFailed: the child would not start, or was stopped before it was ready.
	ErrStartFailed       = &HostError{"start-failed", "the child would not start"}
	ErrShuttingDown      = &HostError{"shutting-down", "the host is going down"}
	ErrSupervisionLimit  = &HostError{"supervision-limit", "a limit of the host was reached"}
	ErrSupervisionFailed = &HostError{"supervision-failed", "it could not be done"}
)

// StartChild starts a child below a supervisor, below the root if that is empty, and returns when its Init has. When it
// fails, the child is not there. It acts at once, as all that is said of children and names.
func (cx *Cx) StartChild(supervisor string, child ChildSpec) error {
	return cx.host.StartChild(supervisor, child)
}

// TerminateChild tells a child to end, and returns when it has. Its specification stays, unless its supervisor is dynamic
// or the child temporary.
func (cx *Cx) TerminateChild(child string) error { return cx.host.TerminateChild(child) }

// RestartChild starts a child again that has ended.
func (cx *Cx) RestartChild(child string) error { return cx.host.RestartChild(child) }

// DeleteChild removes the specification of a child that has ended.
func (cx *Cx) DeleteChild(child string) error { return cx.host.DeleteChild(child) }

// WhichChildren are the children of a supervisor, of the root if that is empty, in the order of their start.
func (cx *Cx) WhichChildren(supervisor string) ([]ChildInfo, error) {
	return cx.host.WhichChildren(supervisor)
}

// CountChildren says how many children a supervisor has, or the root if that is empty.
func (cx *Cx) CountChildren(supervisor string) (Counts, error) {
	return cx.host.CountChildren(supervisor)
}

// Whereis says where the actor of that name stands; ok is false where nobody has the name.
func (cx *Cx) Whereis(actor string) (phase Phase, ok bool) { return cx.host.Whereis(actor) }

// Members are the members of a group, in the order in which they came.
func (cx *Cx) Members(group string) ([]string, error) { return cx.host.Members(group) }

// Attribute is the value of an actor's attribute; ok is false where it has none of that key.
func (cx *Cx) Attribute(actor, key string) (value string, ok bool) {
	return cx.host.Attribute(actor, key)
}

// Having are the actors whose attribute key is value, in the order of their names.
func (cx *Cx) Having(key, value string) ([]string, error) { return cx.host.Having(key, value) }

// Monitor asks for Plugin.Down when that actor ends, or at once where nobody has the name. Monitors are the instance's:
// set those again in Resumed that should outlive it. This and what follows leaves when the turn has ended without a
// panic; an error is a limit of the host, or a name that breaks the rules.
func (cx *Cx) Monitor(actor string) error { return cx.host.Monitor(actor) }

// Demonitor takes that back.
func (cx *Cx) Demonitor(actor string) { cx.host.Demonitor(actor) }

// Link: from then on the end of one of the two ends the other as well, unless it was normal; one that traps exits gets
// Plugin.Exit instead.
func (cx *Cx) Link(actor string) error { return cx.host.Link(actor) }

// Unlink takes that back.
func (cx *Cx) Unlink(actor string) error { return cx.host.Unlink(actor) }

// Exit does to an actor what the end of this one would, were they linked. The reason is "normal", "shutdown", "killed",
// which nobody traps, or a text of one's own, which is a crash.
func (cx *Cx) Exit(actor, reason string) error { return cx.host.Exit(actor, reason) }

// Join makes this actor a member of a group.
func (cx *Cx) Join(group string) error { return cx.host.Join(group) }

// Leave takes that back.
func (cx *Cx) Leave(group string) error { return cx.host.Leave(group) }

// Dispatch sends message as JSON to all members of a group, this actor included if it is one.
func (cx *Cx) Dispatch(group string, message any) error {
	body, err := encodeJSON(message)
	if err != nil {
		return because(ErrNotEncodable, err.Error())
	}
	return cx.host.Dispatch(group, body)
}

// DispatchBytes is Dispatch with the body as it is.
func (cx *Cx) DispatchBytes(group string, body []byte) error { return cx.host.Dispatch(group, body) }

// SetAttribute sets an attribute of this actor: what others find it by.
func (cx *Cx) SetAttribute(key, value string) error { return cx.host.SetAttribute(key, &value) }

// RemoveAttribute removes it.
func (cx *Cx) RemoveAttribute(key string) error { return cx.host.SetAttribute(key, nil) }
