package batontest

import (
	"slices"
	"time"

	"baton"
)

// recorder is a World as the actor sees it: its host.
type recorder World

var _ baton.Host = (*recorder)(nil)

func (r *recorder) Log(level baton.Level, message string, fields []baton.Field) {
	r.logged = append(r.logged, Line{level, message, slices.Clone(fields)})
}

func (r *recorder) NowMs() uint64 { return r.nowMs }

// Random gives the same bytes in every run, so that a test that fails fails again.
func (r *recorder) Random(count uint32) []byte {
	bytes := make([]byte, count)
	for i := range bytes {
		// SplitMix64.
		r.random += 0x9e3779b97f4a7c15
		z := r.random
		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb
		bytes[i] = byte(z ^ (z >> 31))
	}
	return bytes
}

func (r *recorder) RemainingMs() (ms uint64, ok bool) {
	if r.remaining == nil {
		return 0, false
	}
	return uint64(r.remaining.Milliseconds()), true
}

func (r *recorder) Save() { r.saves++ }

func (r *recorder) Stop() { r.stopped = true }

func (r *recorder) Send(to string, body []byte) error {
	if r.refusal != nil {
		return r.refusal
	}
	r.sent = append(r.sent, Message{To: to, Body: slices.Clone(body)})
	return nil
}

func (r *recorder) Call(to string, body []byte, timeoutMs uint64) ([]byte, error) {
	r.called = append(r.called, Message{to, slices.Clone(body), time.Duration(timeoutMs) * time.Millisecond})
	answer, ok := r.answers[to]
	if !ok {
		return nil, baton.ErrUnknownActor
	}
	return slices.Clone(answer.reply), answer.err
}

func (r *recorder) SetTimer(name string, afterMs uint64) error {
	if r.refusal != nil {
		return r.refusal
	}
	r.timers[name] = r.nowMs + afterMs
	return nil
}

func (r *recorder) CancelTimer(name string) { delete(r.timers, name) }
