package baton

import (
	"unsafe"

	"baton/internal/memory"
)

// This file has what the canonical ABI needs on both sides.
//
// What the host hands in, arguments of exports and results of imports, lies in memory of the host's own making, and only
// until the export returns: it is copied at once. The SDK exports no cabi_realloc: entered through it, Go's runtime would
// look at its clock, which is an import, where imports are forbidden.
//
// What Go hands out has to stay where it is until the host has read it. Go's collector moves nothing, so it is enough to
// keep it in package variables, until the next export is entered.

// area is where a record is laid out. Eight bytes is the strictest alignment that the contract has.
type area [12]uint64

func (a *area) pointer() unsafe.Pointer { return unsafe.Pointer(a) }

func (a *area) at(offset uintptr) unsafe.Pointer { return unsafe.Add(unsafe.Pointer(a), offset) }

func (a *area) put32(offset uintptr, n uint32) { *(*uint32)(a.at(offset)) = n }
func (a *area) byte(offset uintptr) byte       { return *(*byte)(a.at(offset)) }
func (a *area) u32(offset uintptr) uint32      { return *(*uint32)(a.at(offset)) }
func (a *area) u64(offset uintptr) uint64      { return *(*uint64)(a.at(offset)) }
func (a *area) text(offset uintptr) string     { return text32(a.u32(offset), a.u32(offset+4)) }
func (a *area) bytes(offset uintptr) []byte    { return bytes32(a.u32(offset), a.u32(offset+4)) }

// optionalText reads an option<string>; false where there is none.
func (a *area) optionalText(offset uintptr) (string, bool) {
	if a.byte(offset) == 0 {
		return "", false
	}
	return a.text(offset + 4), true
}

var (
	// out is the result of the export that was entered last.
	out area
	// keptTexts and keptBytes are what out points to.
	keptTexts []string
	keptBytes []byte
	// in is the result of the import that was called last. It has no pointers into Go's memory.
	in area
)

// entered has to come first in every export.
func entered() {
	memory.Sync()
	out = area{}
	clear(keptTexts)
	keptTexts, keptBytes = keptTexts[:0], nil
}

// putText lays a text out, and keeps it.
func (a *area) putText(offset uintptr, s string) {
	keptTexts = append(keptTexts, s)
	a.put32(offset, address(unsafe.Pointer(unsafe.StringData(s))))
	a.put32(offset+4, uint32(len(s)))
}

// putBytes lays the one list of bytes of a result out, and keeps it.
func (a *area) putBytes(offset uintptr, b []byte) {
	keptBytes = b
	a.put32(offset, address(unsafe.Pointer(unsafe.SliceData(b))))
	a.put32(offset+4, uint32(len(b)))
}

func (a *area) putFailure(offset uintptr, f *Failure) {
	a.putText(offset, f.Code)
	a.putText(offset+8, f.Message)
}

// address as the host counts it: Go's own pointers have 64 bits.
func address(p unsafe.Pointer) uint32 { return uint32(uintptr(p)) }

// text32 copies a text that the host has written.
func text32(at, length uint32) string { return string(host32(at, length)) }

// bytes32 copies bytes that the host has written.
func bytes32(at, length uint32) []byte {
	if length == 0 {
		return nil
	}
	return append(make([]byte, 0, length), host32(at, length)...)
}

// host32 is what the host has written, in its own place.
func host32(at, length uint32) []byte {
	if length == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(hostPointer(at)), length)
}

// hostPointer makes a pointer of a number. It points outside of Go's heap, so the collector does not mind it.
func hostPointer(at uint32) unsafe.Pointer {
	n := uintptr(at)
	return *(*unsafe.Pointer)(unsafe.Pointer(&n))
}

func boolean(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
