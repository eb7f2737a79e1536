package baton

import (
	"unsafe"

	"baton/internal/memory"
)

//go:wasmimport baton:actor/supervision@0.1.0 start-child
func supStartChild(
	below uint32, supervisor string, name, plugin string, args unsafe.Pointer, argsLen uint32,
	restart, shutdown uint32, afterMs uint64, significant uint32, result unsafe.Pointer,
)

//go:wasmimport baton:actor/supervision@0.1.0 terminate-child
func supTerminateChild(child string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 restart-child
func supRestartChild(child string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 delete-child
func supDeleteChild(child string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 which-children
func supWhichChildren(of uint32, supervisor string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 count-children
func supCountChildren(of uint32, supervisor string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 whereis
func supWhereis(actor string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 members
func supMembers(group string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 attribute
func supAttribute(actor, key string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 having
func supHaving(key, value string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 link
func supLink(actor string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 unlink
func supUnlink(actor string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 exit
func supExit(actor, reason string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 join
func supJoin(group string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 leave
func supLeave(group string, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 dispatch
func supDispatch(group string, body unsafe.Pointer, bodyLen uint32, result unsafe.Pointer)

//go:wasmimport baton:actor/supervision@0.1.0 set-attribute
func supSetAttribute(key string, some uint32, value string, result unsafe.Pointer)

func (imports) StartChild(supervisor string, child ChildSpec) error {
	restart := uint32(0)
	switch child.Restart {
	case "", Permanent:
	case Transient:
		restart = 1
	case Temporary:
		restart = 2
	default:
		return because(ErrBadSpec, "there is no restart "+string(child.Restart))
	}
	shutdown, ms := uint32(1), uint64(0)
	if after, limited := child.Shutdown.Ms(); limited {
		ms = after
	} else if child.Shutdown == BrutalKill {
		shutdown = 0
	} else {
		shutdown = 2
	}
	supStartChild(
		boolean(supervisor != ""), supervisor, child.Name, child.Plugin,
		unsafe.Pointer(unsafe.SliceData(child.Args)), uint32(len(child.Args)),
		restart, shutdown, ms, boolean(child.Significant), in.pointer(),
	)
	return liftDone()
}

func (imports) TerminateChild(child string) error {
	supTerminateChild(child, in.pointer())
	return liftDone()
}

func (imports) RestartChild(child string) error {
	supRestartChild(child, in.pointer())
	return liftDone()
}

func (imports) DeleteChild(child string) error {
	supDeleteChild(child, in.pointer())
	return liftDone()
}

func (imports) WhichChildren(supervisor string) ([]ChildInfo, error) {
	supWhichChildren(boolean(supervisor != ""), supervisor, in.pointer())
	if err := liftSupervision(4); err != nil {
		return nil, err
	}
	at, count := in.u32(4), in.u32(8)
	children := make([]ChildInfo, 0, count)
	for i := range uintptr(count) {
		children = append(children, liftChild((*area)(unsafe.Add(hostPointer(at), i*unsafe.Sizeof(area{})))))
	}
	return children, nil
}

func (imports) CountChildren(supervisor string) (Counts, error) {
	supCountChildren(boolean(supervisor != ""), supervisor, in.pointer())
	if err := liftSupervision(8); err != nil {
		return Counts{}, err
	}
	return Counts{Specs: in.u64(8), Active: in.u64(16), Supervisors: in.u64(24), Workers: in.u64(32)}, nil
}

var phases = [...]Phase{
	PhaseStarting, PhaseContinuing, PhaseRunning, PhaseSuspended, PhaseStopping, PhaseRestarting, PhaseHeld, PhaseFailed,
}

func (imports) Whereis(actor string) (Phase, bool) {
	supWhereis(actor, in.pointer())
	memory.Sync()
	if in.byte(0) == 0 {
		return "", false
	}
	return word(&in, 4, phases[:]), true
}

func (imports) Members(group string) ([]string, error) {
	supMembers(group, in.pointer())
	return liftNames()
}

func (imports) Attribute(actor, key string) (string, bool) {
	supAttribute(actor, key, in.pointer())
	memory.Sync()
	return in.optionalText(0)
}

func (imports) Having(key, value string) ([]string, error) {
	supHaving(key, value, in.pointer())
	return liftNames()
}

func (imports) Link(actor string) error {
	supLink(actor, in.pointer())
	return liftSend()
}

func (imports) Unlink(actor string) error {
	supUnlink(actor, in.pointer())
	return liftSend()
}

func (imports) Exit(actor, reason string) error {
	supExit(actor, reason, in.pointer())
	return liftSend()
}

func (imports) Join(group string) error {
	supJoin(group, in.pointer())
	return liftSend()
}

func (imports) Leave(group string) error {
	supLeave(group, in.pointer())
	return liftSend()
}

func (imports) Dispatch(group string, body []byte) error {
	supDispatch(group, unsafe.Pointer(unsafe.SliceData(body)), uint32(len(body)), in.pointer())
	return liftSend()
}

func (imports) SetAttribute(key string, value *string) error {
	if value == nil {
		supSetAttribute(key, 0, "", in.pointer())
	} else {
		supSetAttribute(key, 1, *value, in.pointer())
	}
	return liftSend()
}

// supervisionErrors are the cases of supervision-error, in their order; those at the end of the list say more.
var supervisionErrors = [...]*HostError{
	ErrSupervisionDenied, ErrUnknownSupervisor, ErrUnknownChild, ErrAlreadyStarted, ErrAlreadyPresent, ErrRunning,
	ErrRestarting, ErrMaxChildren, ErrUnknownPlugin, ErrBadSpec, ErrStartFailed, ErrShuttingDown, ErrSupervisionLimit,
	ErrSupervisionFailed,
}

// liftSupervision reads a result<…, supervision-error> whose payload is at offset.
func liftSupervision(offset uintptr) error {
	memory.Sync()
	if in.byte(0) == 0 {
		return nil
	}
	err := supervisionErrors[min(int(in.byte(offset)), len(supervisionErrors)-1)]
	switch err {
	case ErrBadSpec, ErrStartFailed, ErrSupervisionLimit, ErrSupervisionFailed:
		return because(err, in.text(offset+4))
	}
	return err
}

func liftDone() error { return liftSupervision(4) }

// liftNames reads a result<list<string>, supervision-error>.
func liftNames() ([]string, error) {
	if err := liftSupervision(4); err != nil {
		return nil, err
	}
	listed := unsafe.Slice((*[2]uint32)(hostPointer(in.u32(4))), in.u32(8))
	names := make([]string, 0, len(listed))
	for _, name := range listed {
		names = append(names, text32(name[0], name[1]))
	}
	return names, nil
}

// word reads a variant whose cases are words, but for a last one that brings its own text.
func word[W ~string](a *area, offset uintptr, words []W) W {
	if which := int(a.byte(offset)); which < len(words) {
		return words[which]
	}
	return W(a.text(offset + 4))
}

var (
	childKinds  = [...]ChildKind{Worker, Supervisor}
	childStates = [...]ChildState{ChildDown, ChildStarting, ChildUp, ChildRestarting, ChildStopping, ChildFailed}
	restarts    = [...]Restart{Permanent, Transient, Temporary}
)

// liftChild reads a child-info, which takes as much room as an area.
func liftChild(a *area) ChildInfo {
	child := ChildInfo{
		Name:        a.text(0),
		Kind:        word(a, 20, childKinds[:]),
		State:       word(a, 32, childStates[:]),
		Restart:     restarts[min(int(a.byte(44)), len(restarts)-1)],
		Significant: a.byte(64) != 0,
		Restarts:    a.u64(72),
	}
	child.Supervisor, _ = a.optionalText(8)
	child.LastExit, _ = a.optionalText(80)
	switch a.byte(48) {
	case 0:
		child.Shutdown = BrutalKill
	case 1:
		child.Shutdown = Shutdown{kind: shutdownAfter, afterMs: a.u64(56)}
	default:
		child.Shutdown = Infinity
	}
	return child
}
