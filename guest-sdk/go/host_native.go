//go:build !wasip1

package baton

// Host is who an actor asks when it does not run in WebAssembly: package batontest has one that writes everything down.
// Times are milliseconds. Errors are those of this package.
type Host interface {
	Log(level Level, message string, fields []Field)
	NowMs() uint64
	// Random gives count bytes; count is at most 65,536.
	Random(count uint32) []byte
	// RemainingMs is what is left of the turn; ok is false where there is no limit.
	RemainingMs() (ms uint64, ok bool)
	Save()
	Send(to string, body []byte) error
	Call(to string, body []byte, timeoutMs uint64) ([]byte, error)
	SetTimer(name string, afterMs uint64) error
	CancelTimer(name string)
	Monitor(actor string) error
	Demonitor(actor string)
	Stop()

	StartChild(supervisor string, child ChildSpec) error
	TerminateChild(child string) error
	RestartChild(child string) error
	DeleteChild(child string) error
	WhichChildren(supervisor string) ([]ChildInfo, error)
	CountChildren(supervisor string) (Counts, error)
	Whereis(actor string) (Phase, bool)
	Members(group string) ([]string, error)
	Attribute(actor, key string) (string, bool)
	Having(key, value string) ([]string, error)
	Link(actor string) error
	Unlink(actor string) error
	Exit(actor, reason string) error
	Join(group string) error
	Leave(group string) error
	Dispatch(group string, body []byte) error
	// SetAttribute removes it where value is nil.
	SetAttribute(key string, value *string) error
}

type hostRef = Host

// NewInstance makes an instance that asks host. Tests have batontest.Start, which is shorter.
func NewInstance[S any](plugin Plugin[S], host Host) *Instance[S] {
	return &Instance[S]{plugin: &plugin, host: host}
}

// registerPlugin has nothing to do natively but to show what is wrong.
func registerPlugin[S any](_ *Instance[S], wrong error) {
	if wrong != nil {
		panic("baton: " + wrong.Error())
	}
}

// Go runs f in a goroutine.
//
// Goroutines run only while the host waits for an answer. One that is still busy or blocked when a callback returns stands
// still until another callback waits, for a channel, a lock or a sleep; a replacement never hears of it.
func Go(f func()) { go f() }
