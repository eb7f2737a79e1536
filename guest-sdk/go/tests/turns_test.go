package tests

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"baton"
	"baton/batontest"
)

// ear hears everything.
type ear struct {
	Heard []string `json:"heard"`
}

func ears(do func(e *ear, cx *baton.Cx) (any, error)) baton.Plugin[ear] {
	return baton.Plugin[ear]{
		Name:    "ear",
		Version: "1.0.0",
		Init:    func(*baton.Cx) (*ear, error) { return &ear{}, nil },
		Handle:  baton.Commands[ear]{"do": baton.Word(do)},
	}
}

func nothing(*ear, *baton.Cx) (any, error) { return nil, nil }

func TestWhatIsNotHandledHasADefault(t *testing.T) {
	actor := batontest.Start(t, ears(nothing))
	if err := actor.Down("w/1", "killed"); err != nil {
		t.Error(err)
	}
	if err := actor.Exit("w/2", "crash: \"ä\n\\"); err != nil {
		t.Error(err)
	}
	want := []batontest.Line{
		{Level: baton.LevelInfo, Message: "nothing is done about the end of an actor", Fields: []baton.Field{{Name: "down", Value: "w/1"}, {Name: "reason", Value: "killed"}}},
		{Level: baton.LevelInfo, Message: "nothing is done about an exit", Fields: []baton.Field{{Name: "exit", Value: "w/2"}, {Name: "reason", Value: "crash: \"ä\n\\"}}},
	}
	if got := actor.Logged(); !reflect.DeepEqual(got, want) {
		t.Error(got)
	}
	if err := actor.Other("news", nil); batontest.Code(err) != "unsupported" {
		t.Error(err)
	}
	for _, data := range []string{"", "{}", `{"actor":"a"}`, `{"actor":"a","reason":3}`, `{"actor":"a","reason":"b"`, `{"actor":"a","reason":"b"} x`, "{\"actor\":\"a\",\"reason\":\"\xff\"}", `{"actor":"a","reason":"\ud8"}`} {
		if err := actor.Other("exit", []byte(data)); batontest.Code(err) != "bad-exit" {
			t.Errorf("%q: %v", data, err)
		}
	}
}

func TestCallbacksHearWhatConcernsThem(t *testing.T) {
	plugin := ears(nothing)
	plugin.Down = func(e *ear, _ *baton.Cx, actor, reason string) error {
		e.Heard = append(e.Heard, "down "+actor+" "+reason)
		return nil
	}
	plugin.Exit = func(e *ear, _ *baton.Cx, actor, reason string) error {
		e.Heard = append(e.Heard, "exit "+actor+" "+reason)
		return nil
	}
	plugin.Other = func(e *ear, _ *baton.Cx, kind string, data []byte) error {
		e.Heard = append(e.Heard, kind+" "+string(data))
		return nil
	}
	plugin.Timer = func(e *ear, cx *baton.Cx, name string) error {
		e.Heard = append(e.Heard, "timer "+name)
		if name == "tick" {
			return cx.SetTimer("tick", time.Minute)
		}
		return baton.Fail("oh", "no")
	}
	plugin.Started = func(_ *ear, cx *baton.Cx) error { return cx.SetTimer("tick", time.Minute) }
	actor := batontest.Start(t, plugin)
	_ = actor.Down("a", "normal")
	_ = actor.Exit("b", "killed")
	_ = actor.Other("exit", []byte(" { \"more\" : \"\" , \"reason\" : \"\\ud83d\\ude00\\u00e4\\/\" , \"actor\" : \"c\" } "))
	_ = actor.Other("news", []byte("x"))
	if err := actor.Advance(150 * time.Second); err != nil {
		t.Error(err)
	}
	if err := actor.FireTimer("tock"); batontest.Code(err) != "no-such-timer" {
		t.Error(err)
	}
	want := []string{"down a normal", "exit b killed", "exit c 😀ä/", "news x", "timer tick", "timer tick"}
	if !reflect.DeepEqual(actor.State().Heard, want) {
		t.Error(actor.State().Heard)
	}
	// A timer outlives its instance.
	next := batontest.Resume(t, plugin, actor.Terminate())
	if left := next.Timers()["tick"]; left != 30*time.Second {
		t.Error(left)
	}
	if !next.TrapsExits() {
		t.Error("it traps exits")
	}
}

func TestATimerThatNobodyExpectsIsAFailure(t *testing.T) {
	actor := batontest.Start(t, ears(func(_ *ear, cx *baton.Cx) (any, error) {
		_ = cx.SetTimer("late", time.Hour)
		cx.CancelTimer("late")
		return nil, cx.SetTimer("soon", 1500*time.Microsecond) // rounded up
	}))
	actor.Call("do").Is("null")
	if timers := actor.Timers(); len(timers) != 1 || timers["soon"] != 2*time.Millisecond {
		t.Error(timers)
	}
	err := actor.Advance(time.Second)
	if batontest.Code(err) != "unexpected-timer" {
		t.Error(err)
	}
}

func TestCallsOfOthers(t *testing.T) {
	var got struct{ Balance int }
	var err error
	actor := batontest.Start(t, ears(func(_ *ear, cx *baton.Cx) (any, error) {
		err = cx.Call("bank/1", map[string]int{"pay": 3}, &got)
		return nil, err
	}))
	actor.Call("do").Fails("call-unknown-actor")
	actor.Answer("bank/1", map[string]int{"balance": 7, "more": 1})
	actor.Call("do").Is("null")
	if got.Balance != 7 {
		t.Error(got)
	}
	if called := actor.Called(); len(called) != 2 || called[0].To != "bank/1" || string(called[0].Body) != `{"pay":3}` || called[0].Timeout != 5*time.Second {
		t.Error(called)
	}
	actor.AnswerError("bank/1", baton.ErrTimeout)
	actor.Call("do").Fails("call-timeout")
	if !errors.Is(err, baton.ErrTimeout) || errors.Is(err, baton.ErrCrashed) {
		t.Error(err)
	}
	actor.AnswerError("bank/1", baton.Fail("no-money", "not enough"))
	actor.Call("do").Fails("no-money")
	actor.AnswerBytes("bank/1", []byte("{"))
	actor.Call("do").Fails("bad-reply")
	if !errors.Is(err, baton.ErrBadReply) {
		t.Error(err)
	}
}

func TestWhatLeavesWithTheTurn(t *testing.T) {
	actor := batontest.Start(t, ears(func(_ *ear, cx *baton.Cx) (any, error) {
		cx.Save()
		cx.Stop()
		if err := cx.Send("room/1", "hi <you>"); err != nil {
			return nil, err
		}
		return []any{cx.Actor(), cx.NowMs(), cx.Now().Year(), cx.Remaining() == baton.NoLimit, len(cx.Random(100_000)), cx.Generation()}, cx.SendBytes("room/2", []byte{1})
	}), batontest.Name("e"))
	actor.Call("do").Is(`["e", 1767225600000, 2026, true, 100000, 1]`)
	sent := actor.Sent()
	if len(sent) != 2 || string(sent[0].Body) != `"hi <you>"` || sent[1].To != "room/2" || actor.Saves() != 1 || !actor.Stopped() {
		t.Error(sent)
	}
	actor.RefuseSends(baton.ErrSendLimit)
	actor.Call("do").Fails("send-limit")
	actor.RefuseSends(nil)
	actor.SetRemaining(time.Second)
	actor.Call("do").Is(`["e", 1767225600000, 2026, false, 100000, 1]`)
}

func TestThoseAround(t *testing.T) {
	var results []any
	actor := batontest.Start(t, ears(func(_ *ear, cx *baton.Cx) (any, error) {
		value, has := cx.Attribute("w/1", "kind")
		having, _ := cx.Having("kind", "worker")
		members, _ := cx.Members("room")
		phase, there := cx.Whereis("w/1")
		counts, _ := cx.CountChildren("")
		_, unknown := cx.WhichChildren("nobody")
		results = []any{value, has, having, members, phase, there, counts, unknown}
		cx.Demonitor("w/1")
		return nil, errors.Join(
			cx.StartChild("sup", baton.ChildSpec{Name: "w/1", Plugin: "worker", Args: []byte("3")}),
			cx.RestartChild("w/1"), cx.TerminateChild("w/1"), cx.DeleteChild("w/1"),
			cx.Monitor("w/1"), cx.Link("w/1"), cx.Unlink("w/1"), cx.Exit("w/1", "shutdown"),
			cx.Join("room"), cx.Dispatch("room", "hi"), cx.Leave("room"),
			cx.SetAttribute("kind", "ear"), cx.RemoveAttribute("kind"),
		)
	}))
	actor.SetAttributeOf("w/1", "kind", "worker")
	actor.SetMembers("room", "a", "b")
	actor.SetPhase("w/1", baton.PhaseHeld)
	actor.SetChildren("", baton.ChildInfo{Name: "w/1", Kind: baton.Worker, State: baton.ChildUp}, baton.ChildInfo{Kind: baton.Supervisor})
	actor.Call("do").Is("null")
	want := []any{
		"worker", true, []string{"w/1"}, []string{"a", "b"}, baton.PhaseHeld, true,
		baton.Counts{Specs: 2, Active: 1, Workers: 1, Supervisors: 1}, error(baton.ErrUnknownSupervisor),
	}
	if !reflect.DeepEqual(results, want) {
		t.Error(results)
	}
	asked := []string{
		"demonitor w/1", "start-child w/1 worker below sup with 3", "restart-child w/1", "terminate-child w/1",
		"delete-child w/1", "monitor w/1", "link w/1", "unlink w/1", "exit w/1 shutdown", "join room", `dispatch room "hi"`,
		"leave room", "set-attribute kind ear", "remove-attribute kind",
	}
	if got := actor.Asked(); !reflect.DeepEqual(got, asked) {
		t.Error(got)
	}
	actor.RefuseSupervision(baton.ErrMaxChildren)
	actor.Call("do").Fails("max-children")
}

func TestLogFieldsShowTheirValues(t *testing.T) {
	type cents uint64
	two := 2
	actor := batontest.Start(t, ears(func(_ *ear, cx *baton.Cx) (any, error) {
		cx.Trace("a", "s", "x", "n", -3, "u", cents(7), "f", 1.5, "b", true, "e", errors.New("oh"), "d", time.Second,
			"bytes", []byte("\x00a"), "nil", nil, "p", &two, "t", struct{}{}, 3, "last")
		cx.Debug("b")
		cx.Warn("c")
		cx.Error("d")
		return nil, nil
	}))
	actor.Call("do")
	lines := actor.Logged()
	if len(lines) != 4 || lines[3].Level != baton.LevelError || lines[0].Level.String() != "trace" {
		t.Fatal(lines)
	}
	want := []string{
		"s=x", "n=-3", "u=7", "f=1.5", "b=true", "e=oh", "d=1s", `bytes="\x00a"`, "nil=nil", "p=2", "t=(struct {})",
		"!BADKEY=3", "!BADKEY=last",
	}
	var got []string
	for _, field := range lines[0].Fields {
		got = append(got, field.Name+"="+field.Value)
	}
	if !reflect.DeepEqual(got, want) || lines[0].Field("u") != "7" || lines[0].Field("no") != "" {
		t.Error(got)
	}
}

func TestNothingWorksBeforeItHasStarted(t *testing.T) {
	instance := baton.NewInstance(ears(nothing), nil)
	_, failed := instance.Handle(baton.Message{})
	if failed == nil || failed.Code != "not-started" {
		t.Error(failed)
	}
	if refused := instance.Continue(1, nil); refused == nil || refused.Kind != baton.RefusedOtherwise {
		t.Error(refused)
	}
	if _, failed := instance.Snapshot(); failed == nil || failed.Code != "not-started" {
		t.Error(failed)
	}
	if _, _, failed := instance.Terminate(baton.StopNormal, baton.NoLimit); failed == nil || failed.Code != "not-started" {
		t.Error(failed)
	}
}

func TestAnActorMayEndWithItsLinks(t *testing.T) {
	plugin := ears(nothing)
	plugin.DiesWithLinks = true
	if batontest.Start(t, plugin).TrapsExits() {
		t.Error("it should not")
	}
	plugin.TrapsExits = func(_ *ear, cx *baton.Cx) bool { return string(cx.Args()) == "trap" }
	if !batontest.Start(t, plugin, batontest.Args("trap")).TrapsExits() {
		t.Error("it should")
	}
}
