// Package memory keeps Go's heap out of memory that the host has added.
//
// Go's runtime takes it for granted that nobody else grows the linear memory: it counts where its memory ends, and does not
// look at what memory.grow answers. But a host grows it too, for what it hands in and for the adapter of WASI's functions.
// Without this package Go's heap would run over those pages, and they over it. Sync tells the runtime where the memory
// really ends; it has to be called before Go allocates anything after somebody else may have grown it.
//
// The two variables are the runtime's own, so the linker has to be told -checklinkname=0. It fails without, and it fails
// when a later version of Go has other ones: it cannot go wrong unseen.
package memory

import _ "unsafe" // for linkname

const pageBytes = 64 << 10

// Where the runtime takes the next memory from, and how far it believes that the memory goes.
var (
	//go:linkname bloc runtime.bloc
	bloc uintptr
	//go:linkname blocMax runtime.blocMax
	blocMax uintptr
)

// pages is how many pages the linear memory has.
func pages() uint32

// This is among the first of all package initializers, since the package imports nothing. The adapter of WASI has taken its
// page by then, right behind the memory that the module began with: Go's runtime looks at its clock before it allocates. As
// long as Go has not come to the end of that memory, the page is safe from it. A host makes it large enough.
func init() {
	if foreign := uintptr(pages())*pageBytes > blocMax; foreign && bloc == blocMax {
		panic("baton: the memory that this plugin begins with is too small for Go; build it with baton build")
	}
	Sync()
}

// Sync lets Go go on behind the end of the memory if it has grown without Go's doing.
func Sync() {
	if end := uintptr(pages()) * pageBytes; end > blocMax {
		bloc, blocMax = end, end
	}
}
