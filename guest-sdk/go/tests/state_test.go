package tests

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"baton"
	"baton/batontest"
	"baton/postcard"
)

type v1 struct {
	Items []string `json:"items"`
}

type v2 struct {
	Items map[string]int `json:"items"`
}

type cart struct {
	Items map[string]int
	Total int
}

type v4 struct{ Coupon bool }

func (c *cart) write(w *postcard.Writer) {
	w.Int(int64(c.Total))
	w.Len(len(c.Items))
	for name, many := range c.Items {
		w.Text(name)
		w.Int(int64(many))
	}
}

func (c *cart) read(r *postcard.Reader) {
	c.Total = int(r.Int())
	c.Items = map[string]int{}
	for range r.Len() {
		name := r.Text()
		c.Items[name] = int(r.Int())
	}
}

func carts() baton.Plugin[cart] {
	return baton.Plugin[cart]{
		Name:    "cart",
		Version: "3.0.0",
		Schema:  3,
		State: baton.PostcardState(
			func(w *postcard.Writer, c *cart) { c.write(w) },
			func(r *postcard.Reader, c *cart) { c.read(r) },
		),
		Migrations: []baton.Migration[cart]{
			baton.Migrate[cart](2, func(old *v2) (*cart, error) {
				c := cart{Items: old.Items}
				for _, many := range old.Items {
					if many < 0 {
						return nil, errors.New("a negative number of things")
					}
					c.Total += many
				}
				return &c, nil
			}),
			baton.Migrate[cart](1, func(old *v1) (*v2, error) {
				next := v2{Items: map[string]int{}}
				for _, item := range old.Items {
					next.Items[item]++
				}
				return &next, nil
			}),
			baton.Newer(4, baton.JSONState[v4](), func(newer *v4) (*cart, error) {
				if newer.Coupon {
					return nil, errors.New("its coupon would be lost")
				}
				return &cart{}, nil
			}),
		},
		Validate: func(c *cart) error {
			if len(c.Items) > 2 {
				return errors.New("more than two kinds of things")
			}
			return nil
		},
		Init:   func(*baton.Cx) (*cart, error) { return &cart{Items: map[string]int{"fresh": 1}}, nil },
		Handle: baton.Commands[cart]{"total": baton.Word(func(c *cart, _ *baton.Cx) (int, error) { return c.Total, nil })},
	}
}

func TestOlderStatesAreBroughtUpStepByStep(t *testing.T) {
	for _, written := range []batontest.Handover{
		batontest.Written(1, `{"items": ["tea", "cup", "tea"]}`),
		batontest.Written(2, `{"items": {"tea": 2, "cup": 1}}`),
		batontest.Written(3, "\x06\x02\x03tea\x04\x03cup\x02"),
	} {
		actor := batontest.Resume(t, carts(), written)
		actor.Call("total").Is("3")
		if next := batontest.Resume(t, carts(), actor.Terminate()); next.State().Items["tea"] != 2 {
			t.Errorf("schema %d: %v", written.State.Schema, next.State())
		}
	}
	if c := batontest.Resume(t, carts(), batontest.Written(4, `{"Coupon": false}`)).State(); c.Total != 0 {
		t.Error(c)
	}
	d := baton.NewInstance(carts(), nil).Describe()
	if d.Schema != 3 || d.ReadsFrom != 1 || d.ReadsTo != 4 {
		t.Error(d)
	}
}

func TestAStateThatCannotBeUsedIsRefused(t *testing.T) {
	for _, refused := range []struct {
		written batontest.Handover
		kind    baton.RefusalKind
		why     string
	}{
		{batontest.Written(0, "{}"), baton.Incompatible, "schema 0 is not among 1 to 4"},
		{batontest.Written(5, "{}"), baton.Incompatible, "schema 5 is not among 1 to 4"},
		{batontest.Written(4, `{"Coupon": true}`), baton.Incompatible, "state of schema 4: there is no way back to 3: its coupon would be lost"},
		{batontest.Written(4, `{`), baton.Corrupt, "state of schema 4: it is no JSON"},
		{batontest.Written(1, ""), baton.Corrupt, "state of schema 1: it is empty, where JSON is due"},
		{batontest.Written(1, "null"), baton.Corrupt, "state of schema 1: null where tests.v1 is due"},
		{batontest.Written(1, `{"items": 3}`), baton.Corrupt, `state of schema 1: number where []string is due in "items"`},
		{batontest.Written(1, `{"goods": []}`), baton.Corrupt, `state of schema 1: unknown field "goods"`},
		{batontest.Written(1, `{}`), baton.Corrupt, `state of schema 1: field "items" is missing`},
		{batontest.Written(1, `{"Items": []}`), baton.Corrupt, `state of schema 1: field "items" is missing`},
		{batontest.Written(1, `{} {}`), baton.Corrupt, "state of schema 1: it is no JSON"},
		{batontest.Written(2, `{"items": {"tea": -1}}`), baton.Corrupt, "state of schema 2: schema 2 does not become 3: a negative number of things"},
		{batontest.Written(1, `{"items": ["a", "b", "c"]}`), baton.Corrupt, "state of schema 1: it breaks a rule: more than two kinds of things"},
		{batontest.Written(3, ""), baton.Corrupt, "state of schema 3: the bytes end within a number, before byte 0 of 0"},
		{batontest.Written(3, "\x06\x00\x00"), baton.Corrupt, "state of schema 3: 1 of 3 bytes are left over"},
		{batontest.Written(3, "\x06\x01\x03te"), baton.Corrupt, "state of schema 3: a length of 3 is more than there are bytes left, before byte 3 of 5"},
	} {
		_, err := batontest.TryResume(t, carts(), refused.written)
		var refusal *baton.Refusal
		if !errors.As(err, &refusal) || refusal.Kind != refused.kind || !strings.HasPrefix(refusal.Why, refused.why) {
			t.Errorf("schema %d %q: %v; want %v: %s", refused.written.State.Schema, refused.written.State.Data, err, refused.kind, refused.why)
		}
	}
}

func TestAGapInTheChainIsAnError(t *testing.T) {
	one := baton.Migrate[cart](1, func(*v1) (*v2, error) { return nil, nil })
	two := baton.Migrate[cart](2, func(*v2) (*cart, error) { return nil, nil })
	wrong := baton.Migrate[cart](1, func(*v1) (*cart, error) { return nil, nil })
	four := baton.Newer(4, baton.JSONState[v4](), func(*v4) (*cart, error) { return nil, nil })
	for _, c := range []struct {
		schema     uint32
		migrations []baton.Migration[cart]
		why        string
	}{
		{3, []baton.Migration[cart]{one, two, four}, ""},
		{3, []baton.Migration[cart]{two, one}, ""},
		{3, []baton.Migration[cart]{two}, ""},
		{3, nil, ""},
		{3, []baton.Migration[cart]{one}, "without a gap; 1 stands in the wrong place"},
		{4, []baton.Migration[cart]{one, two}, "stands in the wrong place"},
		{2, []baton.Migration[cart]{one, two}, "stands in the wrong place"},
		{3, []baton.Migration[cart]{one, one}, "makes another type"},
		{3, []baton.Migration[cart]{wrong, two}, "the migration from schema 1 makes another type than schema 2 is read as"},
		{2, []baton.Migration[cart]{one}, "the migration from schema 1 makes another type"},
		{2, []baton.Migration[cart]{four}, "newer layouts must follow schema 2 without a gap; 4 stands in the wrong place"},
	} {
		plugin := carts()
		plugin.Schema, plugin.Migrations = c.schema, c.migrations
		err := plugin.Check()
		if (err == nil) != (c.why == "") || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("schema %d: %v; want %q", c.schema, err, c.why)
		}
	}
}

func TestWhatIsWrongWithThePluginItselfIsTold(t *testing.T) {
	for why, spoil := range map[string]func(*baton.Plugin[cart]){
		"Name":      func(p *baton.Plugin[cart]) { p.Name = "Cart" },
		"64 bytes":  func(p *baton.Plugin[cart]) { p.Name = strings.Repeat("a", 65) },
		"Version":   func(p *baton.Plugin[cart]) { p.Version = "" },
		"Init":      func(p *baton.Plugin[cart]) { p.Init = nil },
		"Handle is": func(p *baton.Plugin[cart]) { p.Handle = nil },
		"State is": func(p *baton.Plugin[cart]) {
			p.State = nil
			p.Handle = baton.Raw(func(*cart, *baton.Cx, []byte) ([]byte, error) { return nil, nil })
		},
	} {
		plugin := carts()
		spoil(&plugin)
		if err := plugin.Check(); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v; want %q", err, why)
		}
	}
}

func TestAReplacementKnowsWhereItsStateComesFrom(t *testing.T) {
	plugin := carts()
	var told *baton.Predecessor
	plugin.Started = func(*cart, *baton.Cx) error { t.Error("there was something to take over"); return nil }
	plugin.Resumed = func(c *cart, cx *baton.Cx, predecessor *baton.Predecessor) error {
		told = predecessor
		if predecessor.Age > time.Hour {
			return baton.Refuse(baton.Stale, "too old")
		}
		return nil
	}
	written := batontest.Written(2, `{"items": {}}`)
	written.Age, written.WrittenBy = time.Minute, "2.1.0"
	actor := batontest.Resume(t, plugin, written)
	if told.Schema != 2 || told.Age != time.Minute || told.WrittenBy != "2.1.0" || told.Origin.Reason != baton.StopShutdown {
		t.Error(told)
	}
	if actor.Clock() != time.Date(2026, 1, 1, 0, 1, 0, 0, time.UTC) {
		t.Error(actor.Clock())
	}
	written.Age = 2 * time.Hour
	_, err := batontest.TryResume(t, plugin, written)
	if refusal, ok := err.(*baton.Refusal); !ok || refusal.Kind != baton.Stale {
		t.Error(err)
	}
}

func TestWhatTerminateLeaves(t *testing.T) {
	plugin := carts()
	leave, fails := baton.LeaveKeep, error(nil)
	plugin.Terminate = func(_ *cart, _ *baton.Cx, reason baton.StopReason, within baton.Budget) (baton.Leave, error) {
		if reason != baton.StopUpgrade || within != time.Second {
			t.Error(reason, within)
		}
		return leave, fails
	}
	for _, leave = range []baton.Leave{baton.LeaveKeep, baton.LeaveForget, baton.LeaveSave} {
		left, handover, err := batontest.Start(t, plugin).Stop(baton.StopUpgrade, time.Second)
		if left != leave || err != nil || (len(handover.State.Data) > 0) != (leave == baton.LeaveSave) {
			t.Error(left, handover, err)
		}
	}
	fails = baton.Fail("busy", "not now")
	if _, _, err := batontest.Start(t, plugin).Stop(baton.StopUpgrade, time.Second); batontest.Code(err) != "busy" {
		t.Error(err)
	}
}

type outer struct {
	inner
	List  []point           `json:"list"`
	ByKey map[string]*point `json:"by_key"`
	Some  *point            `json:"some"`
	Late  int               `json:"late,omitempty"`
	When  time.Time         `json:"when"`
	own   int
}

type inner struct{ Deep int }

type point struct{ X, Y int }

func TestWhatIsAlwaysWrittenMustBeThere(t *testing.T) {
	encoding := baton.JSONState[outer]()
	full := outer{
		inner: inner{1}, List: []point{{1, 2}}, ByKey: map[string]*point{"a": {3, 4}, "b": nil}, Late: 5, own: 6,
		When: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	for _, state := range []outer{full, {}} {
		data, err := encoding.Encode(&state)
		if err != nil {
			t.Fatal(err)
		}
		state.own = 0
		if back, err := encoding.Decode(data); err != nil || !reflect.DeepEqual(*back, state) {
			t.Errorf("%s: %v, %v", data, back, err)
		}
	}
	for data, why := range map[string]string{
		`{"Deep":1,"list":[],"by_key":{},"some":null,"when":"2026-01-01T00:00:00Z"}`:                    "",
		` {"when":"2026-01-01T01:00:00+01:00","some":{"Y":2,"X":1},"by_key":null,"list":null,"Deep":1}`: "",
		`{"list":[],"by_key":{},"some":null,"when":"2026-01-01T00:00:00Z"}`:                             `field "Deep" is missing`,
		`{"Deep":null,"list":[],"by_key":{},"some":null,"when":"2026-01-01T00:00:00Z"}`:                 `null in "Deep", where a value is due`,
		`{"Deep":1,"list":[{"X":1}],"by_key":{},"some":null,"when":"2026-01-01T00:00:00Z"}`:             `field "Y" in "list.0" is missing`,
		`{"Deep":1,"list":[null],"by_key":{},"some":null,"when":"2026-01-01T00:00:00Z"}`:                `null in "list.0", where a value is due`,
		`{"Deep":1,"list":[],"by_key":{"a":{"Y":1}},"some":null,"when":"2026-01-01T00:00:00Z"}`:         `field "X" in "by_key.a" is missing`,
		`{"Deep":1,"list":[],"by_key":{},"some":{},"when":"2026-01-01T00:00:00Z"}`:                      `field "X" in "some" is missing`,
	} {
		_, err := encoding.Decode([]byte(data))
		if (err == nil) != (why == "") || err != nil && err.Error() != why {
			t.Errorf("%s: %v; want %q", data, err, why)
		}
	}
}
