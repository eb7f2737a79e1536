package batontest

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"baton"
)

// Fixtures plays the fixtures of a folder natively, those that baton test plays with the built plugin: every state in
// states/ is taken over, saved and taken over again; every message in messages/ is answered, if only by a failure; and
// every script in scripts/ is played plain, and with the actor handed over before each step.
func Fixtures[S any](t *testing.T, plugin baton.Plugin[S], folder string) {
	t.Helper()
	for _, file := range filesIn(t, folder, "states", "*") {
		t.Run("states/"+filepath.Base(file), func(t *testing.T) { playState(t, plugin, file) })
	}
	messages := filesIn(t, folder, "messages", "*")
	if len(messages) == 0 {
		t.Errorf("%s: put message bodies there, one file each", filepath.Join(folder, "messages"))
	}
	for _, file := range messages {
		t.Run("messages/"+filepath.Base(file), func(t *testing.T) {
			Start(t, plugin).Call(read(t, file)) // a panic would end the test
		})
	}
	for _, file := range filesIn(t, folder, "scripts", "*.json") {
		name := "scripts/" + strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) { playScript(t, plugin, file, false) })
		t.Run(name+"/handed-over", func(t *testing.T) { playScript(t, plugin, file, true) })
	}
}

func playState[S any](t *testing.T, plugin baton.Plugin[S], file string) {
	handover := writtenState(t, file)
	again := Resume(t, plugin, handover).Terminate()
	Resume(t, plugin, again)
}

// writtenState reads a file that is named after its schema: 2-empty.json.
func writtenState(t *testing.T, file string) Handover {
	t.Helper()
	schema, _, _ := strings.Cut(filepath.Base(file), "-")
	number, err := strconv.ParseUint(schema, 10, 32)
	if err != nil {
		t.Fatalf("%s: its name has to begin with the schema and a hyphen, such as 1-empty.json", file)
	}
	return Written(uint32(number), read(t, file))
}

func filesIn(t *testing.T, folder, kind, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, kind, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// callError is the error of that name in the contract, such as "timeout".
func callError(name string) error {
	known := map[string]error{
		"unknown-actor": baton.ErrUnknownActor, "mailbox-full": baton.ErrMailboxFull, "denied": baton.ErrCallDenied,
		"unavailable": baton.ErrUnavailable, "timeout": baton.ErrTimeout, "crashed": baton.ErrCrashed,
		"deadlock": baton.ErrDeadlock, "limit": baton.ErrCallLimit,
	}
	if err, ok := known[name]; ok {
		return err
	}
	return errors.New("there is no error " + name)
}
