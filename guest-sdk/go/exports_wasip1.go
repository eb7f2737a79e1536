package baton

import (
	"unsafe"
)

// lifecycle is the registered plugin, whatever its state is.
type lifecycle interface {
	Describe() Description
	Init(actor string, args []byte) (bool, *Failure)
	Continue(generation uint64, handoff *Handoff) *Refusal
	Handle(m Message) ([]byte, *Failure)
	Snapshot() (State, *Failure)
	Terminate(reason StopReason, within Budget) (Leave, State, *Failure)
}

var (
	registered lifecycle
	// wrong is what is wrong with it. It is told when the host asks, since a log cannot be written before.
	wrong error
)

func registerPlugin[S any](instance *Instance[S], problem error) {
	if registered != nil {
		wrong = &HostError{"bad-plugin", "Register was called twice"}
		return
	}
	registered, wrong = instance, problem
}

// plugin is the registered one, or a trap that says why there is none.
func plugin() lifecycle {
	if registered == nil {
		panic("no plugin is registered: call baton.Register in an init function of package main")
	}
	if wrong != nil {
		panic(wrong)
	}
	return registered
}

//go:wasmexport baton:actor/lifecycle@0.1.0#describe
func exportDescribe() unsafe.Pointer {
	entered()
	defer trapOnPanic()
	d := plugin().Describe()
	out.putText(0, d.Name)
	out.putText(8, d.Version)
	out.put32(16, d.Schema)
	out.put32(20, d.ReadsFrom)
	out.put32(24, d.ReadsTo)
	out.putText(28, d.Messages)
	at, length := lowerFields(d.Metadata)
	out.put32(36, at)
	out.put32(40, length)
	return out.pointer()
}

//go:wasmexport baton:actor/lifecycle@0.1.0#init
func exportInit(actor, actorLen, args, argsLen uint32) unsafe.Pointer {
	entered()
	defer trapOnPanic()
	trapExit, failed := plugin().Init(text32(actor, actorLen), bytes32(args, argsLen))
	if failed != nil {
		return failedResult(failed)
	}
	out.put32(4, boolean(trapExit))
	return out.pointer()
}

//go:wasmexport baton:actor/lifecycle@0.1.0#continue
func exportContinue(
	generation uint64, some, schema, data, dataLen uint32,
	origin, originA uint32, originB uint64, originC uint32,
	wrote uint64, version, versionLen uint32, age uint64,
) unsafe.Pointer {
	entered()
	defer trapOnPanic()
	var handoff *Handoff
	if some != 0 {
		handoff = &Handoff{
			State:      State{Schema: schema, Data: bytes32(data, dataLen)},
			Origin:     liftOrigin(origin, originA, originB, originC),
			Generation: wrote,
			WrittenBy:  text32(version, versionLen),
			AgeMs:      age,
		}
	}
	if refused := plugin().Continue(generation, handoff); refused != nil {
		out.put32(0, 1)
		out.put32(4, uint32(refused.Kind))
		out.putText(8, refused.Why)
	}
	return out.pointer()
}

//go:wasmexport baton:actor/lifecycle@0.1.0#handle
func exportHandle(kind, a, aLen, b, c, d, e, f uint32) unsafe.Pointer {
	entered()
	defer trapOnPanic()
	var m Message
	switch m.Kind = MessageKind(kind); m.Kind {
	case MessageCall, MessageCast:
		m.ID = text32(a, aLen)
		if b != 0 {
			m.Sender = text32(c, d)
		}
		m.Body = bytes32(e, f)
	case MessageTimer:
		m.Name = text32(a, aLen)
	case MessageDown:
		m.Actor, m.Reason = text32(a, aLen), text32(b, c)
	default:
		m.Name, m.Body = text32(a, aLen), bytes32(b, c)
	}
	reply, failed := plugin().Handle(m)
	if failed != nil {
		return failedResult(failed)
	}
	out.putBytes(4, reply)
	return out.pointer()
}

//go:wasmexport baton:actor/lifecycle@0.1.0#snapshot
func exportSnapshot() unsafe.Pointer {
	entered()
	defer trapOnPanic()
	state, failed := plugin().Snapshot()
	if failed != nil {
		return failedResult(failed)
	}
	out.put32(4, 1)
	out.put32(8, state.Schema)
	out.putBytes(12, state.Data)
	return out.pointer()
}

//go:wasmexport baton:actor/lifecycle@0.1.0#terminate
func exportTerminate(reason, other, otherLen, limited uint32, budgetMs uint64) unsafe.Pointer {
	entered()
	defer trapOnPanic()
	leave, state, failed := plugin().Terminate(liftReason(reason, other, otherLen), budget(budgetMs, limited != 0))
	if failed != nil {
		return failedResult(failed)
	}
	out.put32(4, uint32(leave))
	if leave == LeaveSave {
		out.put32(8, state.Schema)
		out.putBytes(12, state.Data)
	}
	return out.pointer()
}

// failedResult is a result that is a failure.
func failedResult(f *Failure) unsafe.Pointer {
	out.put32(0, 1)
	out.putFailure(4, f)
	return out.pointer()
}

// reasons are the cases of stop-reason in their order; the last one brings its own text.
var reasons = [...]StopReason{StopNormal, StopShutdown, StopUpgrade, StopPassivate, StopRelocate, StopRestart}

func liftReason(which, at, length uint32) StopReason {
	if which < uint32(len(reasons)) {
		return reasons[which]
	}
	return StopReason(text32(at, length))
}

// liftOrigin: the cases share their places, so a is a number of a case, a flag or an address.
func liftOrigin(which, a uint32, b uint64, c uint32) Origin {
	switch which {
	case 0:
		return Origin{Kind: Terminated, Reason: liftReason(a, uint32(b), c)}
	case 1:
		return Origin{Kind: Switched}
	case 2:
		origin := Origin{Kind: Checkpoint}
		if a != 0 {
			origin.Handled = &b
		}
		return origin
	case 3:
		return Origin{Kind: Restored}
	}
	return Origin{Kind: OriginKind(text32(a, uint32(b)))}
}
