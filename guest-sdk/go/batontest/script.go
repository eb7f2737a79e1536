package batontest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"baton"
)

// step is one of a script's. One of those without a comment is set.
type step struct {
	Call json.RawMessage `json:"call"`
	Cast json.RawMessage `json:"cast"`
	// From, Reply and Failure belong to a call.
	From    string          `json:"from"`
	Reply   json.RawMessage `json:"reply"`
	Failure string          `json:"failure"`

	Sent *[]struct {
		To   string          `json:"to"`
		Body json.RawMessage `json:"body"`
	} `json:"sent"`
	AdvanceMs *uint64 `json:"advance_ms"`
	Down      *struct {
		Actor  string `json:"actor"`
		Reason string `json:"reason"`
	} `json:"down"`
	Answer *struct {
		To    string          `json:"to"`
		Reply json.RawMessage `json:"reply"`
		Error string          `json:"error"`
	} `json:"answer"`
	Members *struct {
		Group string   `json:"group"`
		Are   []string `json:"are"`
	} `json:"members"`
	Handoff bool `json:"handoff"`
	State   *struct {
		Schema uint32 `json:"schema"`
		File   string `json:"file"`
	} `json:"state"`
}

func playScript[S any](t *testing.T, plugin baton.Plugin[S], file string, handOver bool) {
	decoder := json.NewDecoder(bytes.NewReader(read(t, file)))
	decoder.DisallowUnknownFields()
	var steps []step
	if err := decoder.Decode(&steps); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var actor *Actor[S]
	if len(steps) > 0 && steps[0].State != nil {
		state := filepath.Join(filepath.Dir(file), "../states", steps[0].State.File)
		actor = Resume(t, plugin, Written(steps[0].State.Schema, read(t, state)))
		steps = steps[1:]
	} else {
		actor = Start(t, plugin)
	}
	for i, step := range steps {
		if handOver || step.Handoff {
			if err := actor.handOver(); err != nil {
				t.Fatalf("step %d: the replacement does not take over: %v", i+1, err)
			}
		}
		if actor.play(t, step); t.Failed() {
			t.Fatalf("that was step %d of %s", i+1, file)
		}
	}
}

func (a *Actor[S]) play(t *testing.T, s step) {
	switch {
	case s.Call != nil:
		answer := a.CallFrom(s.From, a.scripted(t, s.Call))
		switch {
		case s.Failure != "":
			answer.Fails(s.Failure)
		case s.Reply != nil:
			answer.Is(string(a.scripted(t, s.Reply)))
		}
	case s.Cast != nil:
		_ = a.CastFrom(s.From, a.scripted(t, s.Cast)) // a host only logs it
	case s.Sent != nil:
		a.playSent(t, s)
	case s.AdvanceMs != nil:
		_ = a.Advance(time.Duration(*s.AdvanceMs) * time.Millisecond)
	case s.Down != nil:
		_ = a.Down(s.Down.Actor, s.Down.Reason)
	case s.Answer != nil && s.Answer.Error != "":
		a.AnswerError(s.Answer.To, callError(s.Answer.Error))
	case s.Answer != nil:
		a.AnswerBytes(s.Answer.To, a.scripted(t, s.Answer.Reply))
	case s.Members != nil:
		a.SetMembers(s.Members.Group, s.Members.Are...)
	case s.Handoff:
	default:
		t.Errorf("a step that says nothing, or a state that is not the first")
	}
}

func (a *Actor[S]) playSent(t *testing.T, s step) {
	got, want := a.Sent(), *s.Sent
	same := len(got) == len(want)
	for i := 0; same && i < len(got); i++ {
		body := a.scripted(t, want[i].Body)
		same = got[i].To == want[i].To && (bytes.Equal(got[i].Body, body) || a.takesJSON() && sameJSON(got[i].Body, body))
	}
	if same {
		return
	}
	t.Errorf("it has sent %d messages; %d were due:", len(got), len(want))
	for _, m := range got {
		t.Logf("  it sent %s to %s", m.Body, m.To)
	}
	for _, m := range want {
		t.Logf("  due was %s to %s", m.Body, m.To)
	}
}

// scripted is a body as a script writes it: as it is where messages are JSON, else {"text": …} or {"hex": …}.
func (a *Actor[S]) scripted(t *testing.T, body json.RawMessage) []byte {
	t.Helper()
	if a.takesJSON() {
		return body
	}
	var raw struct {
		Text *string `json:"text"`
		Hex  string  `json:"hex"`
	}
	if err := json.Unmarshal(body, &raw); err != nil {
		t.Fatalf("a body that is not JSON is written {\"text\": …} or {\"hex\": …}: %s", body)
	}
	if raw.Text != nil {
		return []byte(*raw.Text)
	}
	decoded, err := hex.DecodeString(raw.Hex)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return decoded
}
