// Package tests has the SDK's own tests. They use it as a plugin does, natively.
package tests

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"baton"
	"baton/batontest"
)

type tally struct {
	Count uint64 `json:"count"`
	Seen  string `json:"seen,omitempty"`
}

type order struct {
	Item string `json:"item"`
	Many int    `json:"many"`
}

func tallies() baton.Plugin[tally] {
	return baton.Plugin[tally]{
		Name:    "tally",
		Version: "1.0.0",
		Init: func(cx *baton.Cx) (*tally, error) {
			var t tally
			return &t, cx.ArgsJSON(&t.Count)
		},
		Handle: baton.Commands[tally]{
			"get": baton.Word(func(t *tally, _ *baton.Cx) (uint64, error) { return t.Count, nil }),
			"add": baton.With(func(t *tally, _ *baton.Cx, n uint64) (uint64, error) { t.Count += n; return t.Count, nil }),
			"order": baton.With(func(t *tally, _ *baton.Cx, o order) (string, error) {
				return fmt.Sprintf("%d %s", o.Many, o.Item), nil
			}),
			"maybe": baton.With(func(t *tally, _ *baton.Cx, n *int) (bool, error) { return n == nil, nil }),
			"who": baton.Word(func(t *tally, cx *baton.Cx) (string, error) {
				return cx.Sender() + " " + cx.RequestID() + fmt.Sprint(cx.ExpectsReply()), nil
			}),
			"fail": baton.With(func(t *tally, _ *baton.Cx, how string) (any, error) {
				t.Count++
				return nil, failures[how]
			}),
			"html": baton.Word(func(*tally, *baton.Cx) (string, error) { return "<&>", nil }),
			"bad":  baton.Word(func(*tally, *baton.Cx) (any, error) { return func() {}, nil }),
		},
	}
}

var failures = map[string]error{
	"own":     baton.Failf("out-of-stock", "no more of these, %d short", 3),
	"wrapped": fmt.Errorf("paying: %w", baton.Fail("out-of-money", "not enough")),
	"host":    baton.ErrTimeout,
	"plain":   errors.New("it went wrong"),
}

func TestCommandsReadAsAPersonTypesThem(t *testing.T) {
	actor := batontest.Start(t, tallies())
	actor.Call(`"get"`).Is("0")
	actor.Call(`{"add": 3}`).Is("3")
	actor.Call(" {\n\"add\" :\t18446744073709551612 } ").Is("18446744073709551615")
	actor.Call(`{"get": null}`).Is("18446744073709551615")
	actor.Call(`"\u0067et"`).Is("18446744073709551615")
	actor.Call("get").Is("18446744073709551615")
	actor.Call(`{"order": {"item": "a \" } tea", "many": 2}}`).Is(`"2 a \" } tea"`)
	actor.Call(`{"maybe": null}`).Is("true")
	actor.Call("html").Is(`"<&>"`)
}

func TestAMessageThatIsNoneSaysWhatWasExpected(t *testing.T) {
	actor := batontest.Start(t, tallies())
	for body, why := range map[string]string{
		``:                                    "it is empty, where JSON is due",
		"\xff":                                "it is not UTF-8",
		`{"add": `:                            "it is no JSON: unexpected end of JSON input at byte 8",
		`"get" "get"`:                         "it is no JSON: invalid character '\"' after top-level value at byte 7",
		`"sub"`:                               `"sub" is not known; known are "add", "bad", "fail", "get", "html", "maybe", "order", "who"`,
		`[]`:                                  `a command is a name, such as "bad", or a name with a value, such as {"add": …}; this is neither`,
		`{}`:                                  "this is neither",
		`3`:                                   "this is neither",
		`{"add": 3, "get": null}`:             "this is neither",
		`{"add":3,"add":3}`:                   "this is neither",
		`"add"`:                               `"add" needs a value: {"add": …}`,
		`{"get": 3}`:                          `"get" takes no value: send "get" alone`,
		`{"add": -1}`:                         `"add": number -1 where uint64 is due`,
		`{"add": 1.0}`:                        `"add": number 1.0 where uint64 is due`,
		`{"add": 1e400}`:                      "uint64 is due",
		`{"add": 18446744073709551616}`:       `"add": number 18446744073709551616 where uint64 is due`,
		`{"add": null}`:                       `"add": null where uint64 is due`,
		`{"add": "3"}`:                        `"add": string where uint64 is due`,
		`{"add": [3]}`:                        `"add": array where uint64 is due`,
		`{"order": null}`:                     `"order": null where tests.order is due`,
		`{"order": {"item": 3}}`:              `"order": number where string is due in "item"`,
		`{"order": {"itme": "x"}}`:            `"order": unknown field "itme"`,
		strings.Repeat("[", 200):              "lists and objects lie more than 128 deep",
		`"` + strings.Repeat("ä", 1000) + `"`: "… is not known",
	} {
		answer := actor.Call([]byte(body))
		answer.Fails("bad-message")
		if answer.Err == nil {
			continue
		}
		got := answer.Err.(*baton.Failure).Message
		if !strings.HasPrefix(got, "tally 1.0.0 does not take this message: ") || !strings.Contains(strings.ReplaceAll(got, `…" is`, "… is"), why) {
			t.Errorf("%.40q: %s; want %s", body, got, why)
		}
		if len(got) > 300 {
			t.Errorf("%.40q: it is told in %d bytes", body, len(got))
		}
	}
	actor.Call("get").Is("0")
}

func TestDeepListsAreFineUpToALimit(t *testing.T) {
	plugin := tallies()
	plugin.Handle = baton.JSON(func(_ *tally, _ *baton.Cx, message any) (any, error) { return message, nil })
	deep := strings.Repeat("[", 128) + strings.Repeat("]", 128)
	actor := batontest.Start(t, plugin)
	actor.Call(deep).Is(deep)
	actor.Call("[" + deep + "]").Fails("bad-message")
	actor.Call(`["[[\"{{", {"a": "\\"}]`).Is(`["[[\"{{", {"a": "\\"}]`)
}

func TestAnErrorIsAReplyAndTheActorLivesOn(t *testing.T) {
	actor := batontest.Start(t, tallies())
	for how, want := range map[string]baton.Failure{
		"own":     {Code: "out-of-stock", Message: "no more of these, 3 short"},
		"wrapped": {Code: "out-of-money", Message: "paying: not enough [out-of-money]"},
		"host":    {Code: "call-timeout", Message: baton.ErrTimeout.Message},
		"plain":   {Code: "error", Message: "it went wrong"},
	} {
		answer := actor.Call(`{"fail": "` + how + `"}`)
		if failed, ok := answer.Err.(*baton.Failure); !ok || *failed != want {
			t.Errorf("%s: %v; want %v", how, answer.Err, want)
		}
	}
	actor.Call("get").Is("4")
	actor.Call("bad").Fails("bad-reply")
}

func TestAMessageKnowsItsSender(t *testing.T) {
	actor := batontest.Start(t, tallies())
	actor.Call("who").Is(`" message-1true"`)
	actor.CallFrom("alice", "who").Is(`"alice message-2true"`)
	if err := actor.Cast("who"); err != nil {
		t.Error(err)
	}
}

func TestRawMessagesAreBytes(t *testing.T) {
	plugin := tallies()
	plugin.State = baton.JSONState[tally]()
	plugin.Handle = baton.Raw(func(_ *tally, _ *baton.Cx, body []byte) ([]byte, error) {
		if len(body)%2 != 0 {
			return nil, baton.BadMessage("an even number of bytes is due")
		}
		return body, nil
	})
	if got := baton.NewInstance(plugin, nil).Describe().Messages; got != "application/octet-stream" {
		t.Error(got)
	}
	actor := batontest.Start(t, plugin)
	actor.Call([]byte{0, 255}).Is("\x00\xff")
	actor.Call("odd").Fails("bad-message")
}

func TestArguments(t *testing.T) {
	for args, count := range map[string]uint64{"": 0, "null": 0, "40": 40} {
		if got := batontest.Start(t, tallies(), batontest.Args(args)).State().Count; got != count {
			t.Errorf("%q: %d", args, got)
		}
	}
	for _, args := range []string{"-1", "x", `"3"`, "\xff", "1 2", "{}"} {
		_, err := batontest.TryStart(t, tallies(), batontest.Args(args))
		if batontest.Code(err) != "bad-args" {
			t.Errorf("%q: %v", args, err)
		}
	}
}
