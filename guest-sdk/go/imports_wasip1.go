package baton

import (
	"runtime"
	"unsafe"

	"baton/internal/memory"
)

// imports is the host. Its methods are called directly and never through an interface: what a plugin does not call, the
// linker leaves out, and the module does not import it.
type imports struct{}

type hostRef = imports

//go:wasmimport baton:actor/host@0.1.0 log
func hostLog(level uint32, message string, fields, fieldsLen uint32)

//go:wasmimport baton:actor/host@0.1.0 now-ms
func hostNowMs() uint64

//go:wasmimport baton:actor/host@0.1.0 random
func hostRandom(count uint32, result unsafe.Pointer)

//go:wasmimport baton:actor/host@0.1.0 remaining-ms
func hostRemainingMs(result unsafe.Pointer)

//go:wasmimport baton:actor/host@0.1.0 save
func hostSave()

//go:wasmimport baton:actor/host@0.1.0 send
func hostSend(to string, body unsafe.Pointer, bodyLen uint32, result unsafe.Pointer)

//go:wasmimport baton:actor/host@0.1.0 call
func hostCall(to string, body unsafe.Pointer, bodyLen uint32, timeoutMs uint64, result unsafe.Pointer)

//go:wasmimport baton:actor/host@0.1.0 set-timer
func hostSetTimer(name string, afterMs uint64, result unsafe.Pointer)

//go:wasmimport baton:actor/host@0.1.0 cancel-timer
func hostCancelTimer(name string)

//go:wasmimport baton:actor/host@0.1.0 monitor
func hostMonitor(actor string, result unsafe.Pointer)

//go:wasmimport baton:actor/host@0.1.0 demonitor
func hostDemonitor(actor string)

//go:wasmimport baton:actor/host@0.1.0 stop
func hostStop()

// keptFields is a list<tuple<string, string>> as the host reads it.
var keptFields [][4]uint32

// lowerFields lays fields out, and keeps them. They stay until the next list, or the next export.
func lowerFields(fields []Field) (at, length uint32) {
	keptFields = make([][4]uint32, 0, len(fields))
	for _, field := range fields {
		keptTexts = append(keptTexts, field.Name, field.Value)
		keptFields = append(keptFields, [4]uint32{
			address(unsafe.Pointer(unsafe.StringData(field.Name))), uint32(len(field.Name)),
			address(unsafe.Pointer(unsafe.StringData(field.Value))), uint32(len(field.Value)),
		})
	}
	return address(unsafe.Pointer(unsafe.SliceData(keptFields))), uint32(len(fields))
}

func (imports) Log(level Level, message string, fields []Field) {
	at, length := lowerFields(fields)
	hostLog(uint32(level), message, at, length)
	// A turn may log for long: what it has logged need not stay until its end.
	clear(keptTexts)
	keptTexts, keptFields = keptTexts[:0], nil
}

func (imports) NowMs() uint64 { return hostNowMs() }

func (imports) Random(count uint32) []byte {
	hostRandom(count, in.pointer())
	memory.Sync()
	return in.bytes(0)
}

func (imports) RemainingMs() (ms uint64, ok bool) {
	hostRemainingMs(in.pointer())
	return in.u64(8), in.byte(0) != 0
}

func (imports) Save() { hostSave() }
func (imports) Stop() { hostStop() }

func (imports) Send(to string, body []byte) error {
	hostSend(to, unsafe.Pointer(unsafe.SliceData(body)), uint32(len(body)), in.pointer())
	return liftSend()
}

func (imports) Call(to string, body []byte, timeoutMs uint64) ([]byte, error) {
	hostCall(to, unsafe.Pointer(unsafe.SliceData(body)), uint32(len(body)), timeoutMs, in.pointer())
	memory.Sync()
	runtime.KeepAlive(body)
	if in.byte(0) == 0 {
		return in.bytes(4), nil
	}
	return nil, liftCall()
}

func (imports) SetTimer(name string, afterMs uint64) error {
	hostSetTimer(name, afterMs, in.pointer())
	return liftSend()
}

func (imports) CancelTimer(name string) { hostCancelTimer(name) }

func (imports) Monitor(actor string) error {
	hostMonitor(actor, in.pointer())
	return liftSend()
}

func (imports) Demonitor(actor string) { hostDemonitor(actor) }

// liftSend reads a result<_, send-error>.
func liftSend() error {
	memory.Sync()
	switch {
	case in.byte(0) == 0:
		return nil
	case in.byte(4) == 0:
		return ErrSendDenied
	}
	return because(ErrSendLimit, in.text(8))
}

// callErrors are the cases of call-error without a payload, in their order.
var callErrors = [...]error{
	ErrUnknownActor, ErrMailboxFull, ErrCallDenied, ErrUnavailable, ErrTimeout, ErrCrashed, ErrDeadlock,
}

// liftCall reads a call-error at 4.
func liftCall() error {
	which := int(in.byte(4))
	switch {
	case which < len(callErrors):
		return callErrors[which]
	case which == len(callErrors):
		return because(ErrCallLimit, in.text(8))
	}
	return &Failure{Code: in.text(8), Message: in.text(16)}
}
