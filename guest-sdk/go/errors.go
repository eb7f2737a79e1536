package baton

import (
	"errors"
	"fmt"
)

// Failure is the actor's own error: a reply like any other, after which it lives on. It is an error, so that callbacks
// return it.
type Failure struct {
	// Code is for programs, such as "out-of-stock".
	Code string
	// Message is for people.
	Message string
}

func (f *Failure) Error() string { return f.Message + " [" + f.Code + "]" }

// Fail makes a Failure.
func Fail(code, message string) error { return &Failure{code, message} }

// Failf makes a Failure with a message as fmt.Sprintf makes it.
func Failf(code, format string, args ...any) error {
	return &Failure{code, fmt.Sprintf(format, args...)}
}

// BadMessage refuses a message that the actor does not understand, with the code "bad-message"; why says what was
// expected. The plugin's name and version come before it.
func BadMessage(why string) error { return &badMessage{why} }

type badMessage struct{ why string }

func (b *badMessage) Error() string { return b.why }

// HostError says why the host did not do what it was asked. Compare with errors.Is:
//
//	if errors.Is(err, baton.ErrTimeout) { … }
//
// A callback may return it: the caller then gets its code and message as a failure.
type HostError struct {
	// Code of the failure that it becomes, such as "call-timeout".
	Code string
	// Message is for people.
	Message string
}

func (e *HostError) Error() string { return e.Message + " [" + e.Code + "]" }

// Is compares codes: the message may name a limit.
func (e *HostError) Is(target error) bool {
	other, ok := target.(*HostError)
	return ok && other.Code == e.Code
}

// Why something could not be sent or set. These are known at once; whether a message arrives shows later.
var (
	// ErrSendDenied: this actor is not allowed to.
	ErrSendDenied = &HostError{"send-denied", "this actor is not allowed to send that"}
	// ErrSendLimit: a limit of the host, which the message names.
	ErrSendLimit = &HostError{"send-limit", "a limit of the host was reached"}
	// ErrNotEncodable: the message cannot be written as JSON.
	ErrNotEncodable = &HostError{"not-encodable", "the message cannot be written as JSON"}
)

// Why a call brought no reply. The failure of the actor called is no HostError: it comes as the *Failure that it is.
var (
	// ErrUnknownActor: there is no actor of that name.
	ErrUnknownActor = &HostError{"call-unknown-actor", "there is no actor of that name"}
	// ErrMailboxFull: too many messages wait for the actor called.
	ErrMailboxFull = &HostError{"call-mailbox-full", "the mailbox of the actor called is full"}
	// ErrCallDenied: this actor is not allowed to call that one.
	ErrCallDenied = &HostError{"call-denied", "this actor is not allowed to call that one"}
	// ErrUnavailable: the actor called has not seen the message; try again.
	ErrUnavailable = &HostError{"call-unavailable", "the actor called is stopping or parked; it has not seen the message"}
	// ErrTimeout: whether the message was handled is not known.
	ErrTimeout = &HostError{"call-timeout", "no answer in time; whether the message was handled is not known"}
	// ErrCrashed: the actor called trapped while it handled the message.
	ErrCrashed = &HostError{"call-crashed", "the actor called crashed over the message"}
	// ErrDeadlock: the actor called waits, through others, for this one.
	ErrDeadlock = &HostError{"call-deadlock", "the actor called waits for this one"}
	// ErrCallLimit: a limit of the host, which the message names.
	ErrCallLimit = &HostError{"call-limit", "a limit of the host was reached"}
	// ErrBadReply: the reply is not what was expected.
	ErrBadReply = &HostError{"bad-reply", "the reply is not what was expected"}
)

// because is the error with what more is known of it.
func because(err *HostError, detail string) error {
	if detail == "" {
		return err
	}
	return &HostError{err.Code, err.Message + ": " + detail}
}

// RefusalKind says why a state is not taken over.
type RefusalKind uint8

const (
	// Incompatible: this plugin cannot read that schema.
	Incompatible RefusalKind = iota
	// Corrupt: the bytes do not decode, or break an invariant.
	Corrupt
	// Stale: too old to be of use.
	Stale
	// Unavailable: something that is needed is out of reach now; the same state may be taken over later.
	Unavailable
	// RefusedOtherwise: for another reason.
	RefusedOtherwise
)

var refusalNames = [...]string{"incompatible", "corrupt", "stale", "unavailable", "other"}

func (k RefusalKind) String() string {
	if int(k) < len(refusalNames) {
		return refusalNames[k]
	}
	return "other"
}

// Refusal says why Started or Resumed does not go on. Any other error is one, too, of the kind RefusedOtherwise.
type Refusal struct {
	Kind RefusalKind
	Why  string
}

func (r *Refusal) Error() string { return r.Why + " [" + r.Kind.String() + "]" }

// Refuse makes a Refusal.
func Refuse(kind RefusalKind, why string) error { return &Refusal{kind, why} }

// failure is what the caller gets for an error that a callback returned. nil for nil.
func failure(err error) *Failure {
	if err == nil {
		return nil
	}
	// As it is, the message is already what the author wrote.
	if f, ok := err.(*Failure); ok {
		return f
	}
	if e, ok := err.(*HostError); ok {
		return &Failure{e.Code, e.Message}
	}
	// Wrapped, the whole text is the message.
	var f *Failure
	if errors.As(err, &f) {
		return &Failure{f.Code, err.Error()}
	}
	var e *HostError
	if errors.As(err, &e) {
		return &Failure{e.Code, err.Error()}
	}
	return &Failure{"error", err.Error()}
}

// refusal is what the host gets for an error of Started or Resumed. nil for nil.
func refusal(err error) *Refusal {
	if err == nil {
		return nil
	}
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	return &Refusal{RefusedOtherwise, err.Error()}
}
