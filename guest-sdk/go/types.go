package baton

import (
	"math"
	"time"
)

// State is a state as its plugin encoded it. The host keeps it and never looks inside Data.
type State struct {
	Schema uint32
	Data   []byte
}

// StopReason says why an instance ends. A host that has learned more may give others than these.
type StopReason string

const (
	// StopNormal: the actor asked to stop, or was asked to, alone.
	StopNormal StopReason = "normal"
	// StopShutdown: its supervisor or the whole host is going down.
	StopShutdown StopReason = "shutdown"
	// StopUpgrade: another version of the plugin has taken over.
	StopUpgrade StopReason = "upgrade"
	// StopPassivate: it is idle; the next message wakes it.
	StopPassivate StopReason = "passivate"
	// StopRelocate: it moves to another node.
	StopRelocate StopReason = "relocate"
	// StopRestart: its supervisor restarts it together with a sibling.
	StopRestart StopReason = "restart"
)

// OriginKind says how a state came to be handed over. A host that has learned more may give others than these.
type OriginKind string

const (
	// Terminated: the predecessor ended with it, and nothing was handled after it. Origin.Reason says why it ended.
	Terminated OriginKind = "terminated"
	// Switched: taken from the running predecessor at a swap; nothing was handled after it.
	Switched OriginKind = "switched"
	// Checkpoint: saved while the predecessor ran, which then ended without a word. Origin.Handled says how many messages
	// it had handled since, where the host knows.
	Checkpoint OriginKind = "checkpoint"
	// Restored: an operator put it there (import, rollback, fork).
	Restored OriginKind = "restored"
)

// Origin says how complete a handed-over state is.
type Origin struct {
	Kind OriginKind
	// Reason why the predecessor ended, where Kind is Terminated.
	Reason StopReason
	// Handled counts the messages that the predecessor handled after the state was saved, where Kind is Checkpoint; nil
	// where the host does not know.
	Handled *uint64
}

// Predecessor tells where a state that was taken over comes from.
type Predecessor struct {
	// Schema of the state before it was migrated.
	Schema uint32
	// Origin says how complete the state is.
	Origin Origin
	// Generation of the instance that wrote it.
	Generation uint64
	// WrittenBy is the version of the plugin that wrote it.
	WrittenBy string
	// Age since it was written, by the host's clock; 0 if that clock went back.
	Age time.Duration
}

// Handoff is what a predecessor left.
type Handoff struct {
	State      State
	Origin     Origin
	Generation uint64
	WrittenBy  string
	AgeMs      uint64
}

// Description is what the host is told of a plugin, once, before there is any instance.
type Description struct {
	Name, Version              string
	Schema, ReadsFrom, ReadsTo uint32
	Messages                   string
	Metadata                   []Field
}

// Field is a name and a value: of a log line, or of the metadata.
type Field struct {
	Name, Value string
}

// MessageKind tells messages apart.
type MessageKind uint8

const (
	// MessageCall expects a reply.
	MessageCall MessageKind = iota
	// MessageCast expects none.
	MessageCast
	// MessageTimer says that a timer has come due.
	MessageTimer
	// MessageDown says that a monitored actor has ended.
	MessageDown
	// MessageOther is of a kind that has no word of its own.
	MessageOther
)

// Message is what an instance is given to handle. Callbacks of a Plugin get the parts of it that concern them.
type Message struct {
	Kind MessageKind
	// ID, Sender and Body are those of a call or cast; Sender is empty where it came from outside.
	ID, Sender string
	Body       []byte
	// Name of the timer; or the kind of a MessageOther, whose data is Body.
	Name string
	// Actor and Reason of a MessageDown.
	Actor, Reason string
}

// Leave is what Terminate leaves to the replacement.
type Leave uint8

const (
	// LeaveSave leaves the state as it stands.
	LeaveSave Leave = iota
	// LeaveKeep leaves what the store has already.
	LeaveKeep
	// LeaveForget leaves nothing: the state in the store and its history are erased.
	LeaveForget
)

// Budget is how long something may take.
type Budget = time.Duration

// NoLimit stands where a time is not limited. It is longer than any other.
const NoLimit Budget = math.MaxInt64

// budget turns milliseconds into a Budget; some is whether there is a limit at all.
func budget(ms uint64, some bool) Budget {
	if !some {
		return NoLimit
	}
	return duration(ms)
}

func duration(ms uint64) time.Duration {
	if ms > uint64(math.MaxInt64)/uint64(time.Millisecond) {
		return math.MaxInt64
	}
	return time.Duration(ms) * time.Millisecond
}

// milliseconds of d, rounded up, so that nothing comes due too early.
func milliseconds(d time.Duration) uint64 {
	if d <= 0 {
		return 0
	}
	ms := uint64(d / time.Millisecond)
	if d%time.Millisecond != 0 {
		ms++
	}
	return ms
}

// Level says how bad a line of the log is.
type Level uint8

// Levels of the log.
const (
	LevelTrace Level = iota
	LevelDebug
	LevelInfo
	LevelWarn
	LevelError
)

var levelNames = [...]string{"trace", "debug", "info", "warn", "error"}

func (l Level) String() string {
	if int(l) < len(levelNames) {
		return levelNames[l]
	}
	return "unknown"
}
