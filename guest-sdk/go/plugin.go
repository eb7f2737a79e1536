package baton

import "strconv"

// Version of this SDK. It is told to the host with the plugin's metadata.
const sdkVersion = "0.1.0"

// Plugin is what a plugin is made of: facts, callbacks, and how its state is written. S is the actor's state.
//
// Only Name, Version, Init and Handle are needed. A callback that is nil does what its comment says.
type Plugin[S any] struct {
	// Name has lower-case letters, digits, - and _, begins with a letter, and is at most 64 bytes long.
	Name string
	// Version is a semantic version, such as "1.2.0".
	Version string
	// Schema is the number of the state's layout. Raise it by one with every change of layout, and say in Migrations how
	// the old layout becomes the new one. Left out, it is 1.
	Schema uint32
	// Messages is the media type of message bodies. Left out, it is what Handle takes: application/json, or
	// application/octet-stream with Raw.
	Messages string
	// Metadata are further facts, such as "license" or "description".
	Metadata map[string]string

	// State says how the state is written. Left out, it is JSON; with Raw it must be said.
	State Encoding[S]
	// Migrations are the layouts besides the current one that are read.
	Migrations []Migration[S]

	// Init makes a fresh state from the arguments. The supervisor waits for it, and it has no effects; a state that a
	// predecessor left takes the place of this one. An error: the actor does not start.
	Init func(cx *Cx) (*S, error)
	// Handle answers messages: Commands, JSON or Raw. An error is a reply like any other: the actor lives on with
	// whatever it has changed, and what it has sent leaves. A panic ends the instance, and nothing of the turn leaves.
	Handle Handler[S]

	// Started is called when nothing was there to take over: the place to set first timers. An error is a Refusal: the
	// actor does not go on.
	Started func(state *S, cx *Cx) error
	// Resumed is called when the state is what a predecessor left: decoded, migrated and valid. An error is a Refusal:
	// the state is not taken over and stays in the store.
	Resumed func(state *S, cx *Cx, predecessor *Predecessor) error
	// Validate says what is wrong with a state that was taken over. It is then refused as corrupt.
	Validate func(state *S) error
	// Timer is called when a timer has come due that this actor, or its predecessor, has set. Without it that is a
	// failure, which the host logs.
	Timer func(state *S, cx *Cx, name string) error
	// Down is called when an actor that this one monitors has ended, or was not there: reason is "normal", "shutdown",
	// "killed", "noproc", or "crash: " and how. Without it that is logged.
	Down func(state *S, cx *Cx, actor, reason string) error
	// Exit is called when an actor that this one is linked to has ended, or has sent it an exit, and this one traps
	// exits. Without it that is logged.
	Exit func(state *S, cx *Cx, actor, reason string) error
	// Other is called with a message of a kind that this version of the contract has no word for. Without it that is a
	// failure, which the host logs.
	Other func(state *S, cx *Cx, kind string, data []byte) error
	// Terminate is the last call; budget is what is left for it, NoLimit where there is no limit. Without it the state is
	// saved. An error is told to the operator, and the state in the store stays as it was.
	Terminate func(state *S, cx *Cx, reason StopReason, budget Budget) (Leave, error)

	// DiesWithLinks: the actor ends with those that it is linked to, and is simply dropped when it is told to stop:
	// Terminate is not called, and the state in the store stays as it was. Left out, it traps exits.
	DiesWithLinks bool
	// TrapsExits decides that for each instance, right after Init. Left out, DiesWithLinks does.
	TrapsExits func(state *S, cx *Cx) bool
}

// Register makes the plugin known to the host. Call it once, in an init function.
//
// What is wrong with the plugin itself, such as a gap in its migrations, panics natively, so that go test shows it, and
// is said in the log when the host asks the plugin to describe itself.
func Register[S any](plugin Plugin[S]) {
	registerPlugin(&Instance[S]{plugin: &plugin}, plugin.Check())
}

// Check says what is wrong with the plugin's own facts: a name that breaks the rules, a gap in the migrations, a part
// that is missing.
func (p *Plugin[S]) Check() error {
	switch {
	case !validName(p.Name):
		return problem("Name " + strconv.Quote(p.Name) + " must begin with a lower-case letter, have only lower-case letters, digits, - and _, and at most 64 bytes")
	case p.Version == "" || len(p.Version) > 64:
		return problem("Version must be a semantic version, such as 1.0.0")
	case p.Init == nil:
		return problem("Init is missing: it makes a fresh state")
	case p.Handle == nil:
		return problem("Handle is missing: baton.Commands, baton.JSON or baton.Raw")
	case p.encoding() == nil:
		return problem("State is missing: beside baton.Raw it must be said how the state is written, such as baton.JSONState[T]()")
	}
	return checkMigrations(p.Migrations, p.schema())
}

func problem(what string) error {
	return &HostError{Code: "bad-plugin", Message: what}
}

func validName(name string) bool {
	if name == "" || len(name) > 64 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return true
}

func (p *Plugin[S]) schema() uint32 {
	if p.Schema == 0 {
		return 1
	}
	return p.Schema
}

func (p *Plugin[S]) mediaType() string {
	if p.Messages != "" {
		return p.Messages
	}
	return p.Handle.mediaType()
}

func (p *Plugin[S]) encoding() Encoding[S] {
	if p.State != nil {
		return p.State
	}
	return p.Handle.stateEncoding()
}
