package main

import (
	"errors"
	"os"
	"testing"

	"baton"
	"baton/batontest"
)

func TestCountsFromItsArgument(t *testing.T) {
	for args, first := range map[string]string{"": "3", "null": "3", "40": "43"} {
		batontest.Start(t, plugin, batontest.Args(args)).Call(`{"add": 3}`).Is(first)
	}
	for _, args := range []string{"-1", "1.5", `"3"`, "[]", "forty", "18446744073709551616", "\xff"} {
		if _, err := batontest.TryStart(t, plugin, batontest.Args(args)); batontest.Code(err) != "bad-args" {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestAReplacementCountsOn(t *testing.T) {
	actor := batontest.Start(t, plugin)
	if err := actor.Cast(`{"add": 5}`); err != nil {
		t.Fatal(err)
	}
	next := batontest.Resume(t, plugin, actor.Terminate())
	next.Call(`{"add": 1}`).Is("6")
	next.Call(`"reset"`).Is("0")
}

func TestWhatDoesNotFitLeavesTheCountAlone(t *testing.T) {
	actor := batontest.Start(t, plugin, batontest.Args("18446744073709551615"))
	failed := actor.Call(`{"add": 1}`).Fails("overflow").Err.(*baton.Failure)
	if failed.Message != "18446744073709551615 + 1 is more than a counter holds (18446744073709551615)" {
		t.Error(failed.Message)
	}
	actor.Call(`{"add": -1}`).Fails("bad-message")
	actor.Call(`"get"`).Is("18446744073709551615")
}

// What 1.0.0 wrote of 300: it must be read for ever, by the counters in other languages as well.
func TestTheBytesOfSchema1AreKnown(t *testing.T) {
	next := batontest.Resume(t, plugin, batontest.Written(1, "\xac\x02"))
	if next.State().Count != 300 {
		t.Error(next.State().Count)
	}
	if data := string(next.Terminate().State.Data); data != "\xac\x02" {
		t.Errorf("%x", data)
	}
}

func TestOtherBytesAreRefused(t *testing.T) {
	for _, data := range []string{"", "\x80", "\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", "{}"} {
		_, err := batontest.TryResume(t, plugin, batontest.Written(1, data))
		var refused *baton.Refusal
		if !errors.As(err, &refused) || refused.Kind != baton.Corrupt {
			t.Errorf("%x: %v", data, err)
		}
	}
}

func TestFixtures(t *testing.T) {
	if _, err := os.Stat("../fixtures"); err != nil {
		t.Skip("the fixtures that all counters share are not here")
	}
	batontest.Fixtures(t, plugin, "../fixtures")
}
