package baton

import "time"

// DefaultTimeout is how long Call waits.
const DefaultTimeout = 5 * time.Second

// maxRandom is how many bytes the host gives at once.
const maxRandom = 65_536

// Cx is what an actor knows of itself, and what it can ask of its host.
//
// What is sent or set here leaves when the turn has ended without a panic; Call acts at once. It is good for the callback
// that it was given to, and for nothing that outlives it.
type Cx struct {
	host        hostRef
	actor       string
	args        []byte
	generation  uint64
	predecessor *Predecessor

	// The message in hand.
	requestID, sender string
	expectsReply      bool
}

// Actor is the name of the actor, unique in its host or cluster.
func (cx *Cx) Actor() string { return cx.actor }

// Args are the bytes that the actor was started with.
func (cx *Cx) Args() []byte { return cx.args }

// ArgsJSON reads what the actor was started with. No arguments at all read as null, which leaves into as it is. The error
// is a failure with the code "bad-args".
func (cx *Cx) ArgsJSON(into any) error {
	args := cx.args
	if len(args) == 0 || string(args) == "null" {
		return nil
	}
	if err := readJSON(args, into); err != nil {
		return Fail("bad-args", "the arguments: "+err.Error())
	}
	return nil
}

// Generation counts this actor's instances and always rises. It is 0 during Init, where it is not known.
func (cx *Cx) Generation() uint64 { return cx.generation }

// Predecessor tells where the state comes from that this instance took over; nil if it began with a fresh one.
func (cx *Cx) Predecessor() *Predecessor { return cx.predecessor }

// Sender is the name of the actor that sent the message in hand; empty if it came from outside.
func (cx *Cx) Sender() string { return cx.sender }

// RequestID is the id of the message in hand, the same when a sender tries again. It is empty outside of Handle.
func (cx *Cx) RequestID() string { return cx.requestID }

// ExpectsReply is whether someone waits for the reply to the message in hand.
func (cx *Cx) ExpectsReply() bool { return cx.expectsReply }

// Now is the host's clock, in UTC, to the millisecond.
func (cx *Cx) Now() time.Time { return time.UnixMilli(int64(cx.host.NowMs())).UTC() }

// NowMs is the host's clock as milliseconds since the Unix epoch.
func (cx *Cx) NowMs() uint64 { return cx.host.NowMs() }

// Remaining is what is left of this turn's time; NoLimit where there is no limit.
func (cx *Cx) Remaining() Budget { return budget(cx.host.RemainingMs()) }

// Random gives bytes from the system's generator.
func (cx *Cx) Random(count int) []byte {
	bytes := make([]byte, 0, max(count, 0))
	for len(bytes) < count {
		bytes = append(bytes, cx.host.Random(uint32(min(count-len(bytes), maxRandom)))...)
	}
	return bytes
}

// Save saves the state at the end of this turn: it is durable before the reply and what was sent leave.
func (cx *Cx) Save() { cx.host.Save() }

// Stop ends this actor normally after this turn.
func (cx *Cx) Stop() { cx.host.Stop() }

// Send sends message as JSON to another actor, expecting no reply. The error is only what is known at once: a message to
// an actor that is not there shows as a dead letter later.
func (cx *Cx) Send(to string, message any) error {
	body, err := encodeJSON(message)
	if err != nil {
		return because(ErrNotEncodable, err.Error())
	}
	return cx.host.Send(to, body)
}

// SendBytes is Send with the body as it is.
func (cx *Cx) SendBytes(to string, body []byte) error { return cx.host.Send(to, body) }

// Call calls another actor with message as JSON, waits up to DefaultTimeout for its reply, and reads that into reply,
// unless reply is nil. The error is a HostError that says whether the message may have been handled, or the *Failure that
// the actor answered with.
func (cx *Cx) Call(to string, message, reply any) error {
	return cx.CallTimeout(to, message, reply, DefaultTimeout)
}

// CallTimeout is Call with another time to wait.
func (cx *Cx) CallTimeout(to string, message, reply any, timeout time.Duration) error {
	body, err := encodeJSON(message)
	if err != nil {
		return because(ErrNotEncodable, err.Error())
	}
	answer, err := cx.CallBytes(to, body, timeout)
	if err != nil || reply == nil {
		return err
	}
	if err := readReply(answer, reply); err != nil {
		return because(ErrBadReply, to+": "+err.Error())
	}
	return nil
}

// CallBytes is CallTimeout with message and reply as they are.
func (cx *Cx) CallBytes(to string, body []byte, timeout time.Duration) ([]byte, error) {
	return cx.host.Call(to, body, milliseconds(timeout))
}

// SetTimer asks for Plugin.Timer after that time. A timer of the same name is replaced. Timers are kept with the state:
// they come due also after a handoff.
func (cx *Cx) SetTimer(name string, after time.Duration) error {
	return cx.host.SetTimer(name, milliseconds(after))
}

// CancelTimer takes a timer back. Nothing happens if there is none of that name.
func (cx *Cx) CancelTimer(name string) { cx.host.CancelTimer(name) }
