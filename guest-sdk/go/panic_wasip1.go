package baton

import (
	"runtime"
	"strconv"
	"strings"
)

// stackBytes bounds what is logged of a stack: a line of the log has 8,192 bytes.
const stackBytes = 6_000

// trapOnPanic is deferred by every export. What Go itself would do with a panic, print it and exit, the host would see as
// many lines of text and an exit code. A panic never becomes a reply.
func trapOnPanic() {
	value := recover()
	if value == nil {
		return
	}
	place, stack := panicStack()
	imports{}.Log(LevelError, "panic: "+text(value), []Field{{"location", place}, {"stack", stack}})
	runtime.Breakpoint() // on wasm: the instruction unreachable
}

// Go runs f in a goroutine. What it panics with is logged and traps, as in a callback: after a plain go statement the
// runtime prints it instead.
//
// Goroutines run only while the host waits for an answer. One that is still busy or blocked when a callback returns stands
// still until another callback waits, for a channel, a lock or a sleep; a replacement never hears of it.
func Go(f func()) {
	go func() {
		defer trapOnPanic()
		f()
	}()
}

// panicStack tells where the panic was, and through which functions it came there.
func panicStack() (place, stack string) {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers[:])])
	var lines strings.Builder
	for panicked := false; ; {
		frame, more := frames.Next()
		switch {
		case frame.Function == "runtime.gopanic":
			panicked = true
		case !panicked || place == "" && strings.HasPrefix(frame.Function, "runtime."):
			// The runtime's own way from the panic to here.
		case frame.Function == "runtime.goexit" || strings.HasPrefix(frame.Function, "baton.(*Instance") || strings.HasPrefix(frame.Function, "baton.export"):
			return place, lines.String() // what lies below is the same for all
		case lines.Len() < stackBytes:
			at := frame.File + ":" + strconv.Itoa(frame.Line)
			if place == "" {
				place = at
			}
			lines.WriteString(frame.Function + " (" + at + ")\n")
		}
		if !more {
			return place, lines.String()
		}
	}
}
