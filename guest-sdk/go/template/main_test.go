package main

import (
	"testing"

	"baton/batontest"
)

// These tests run natively: go test.

func TestItCounts(t *testing.T) {
	actor := batontest.Start(t, plugin)
	actor.Call(`{"add": 3}`).Is("3")
	actor.Call(`"get"`).Is("3")
	actor.Call(`"reset"`).Is("0")
}

func TestItBeginsAtItsArgument(t *testing.T) {
	batontest.Start(t, plugin, batontest.Args("40")).Call(`"get"`).Is("40")
	if _, err := batontest.TryStart(t, plugin, batontest.Args(`"many"`)); batontest.Code(err) != "bad-args" {
		t.Errorf("a text is no number: %v", err)
	}
}

func TestWhatDoesNotFitLeavesTheCountAlone(t *testing.T) {
	actor := batontest.Start(t, plugin, batontest.Args("18446744073709551615"))
	actor.Call(`{"add": 1}`).Fails("overflow")
	actor.Call(`{"add": -1}`).Fails("bad-message")
	actor.Call(`"get"`).Is("18446744073709551615")
}

func TestAReplacementCountsOn(t *testing.T) {
	actor := batontest.Start(t, plugin)
	actor.Call(`{"add": 3}`).Is("3")
	next := batontest.Resume(t, plugin, actor.Terminate())
	next.Call(`{"add": 1}`).Is("4")
}

// Keep the bytes of each released schema: they are what will really be handed over.
func TestTheBytesOfSchema1AreKnown(t *testing.T) {
	actor := batontest.Resume(t, plugin, batontest.Written(1, `{"count":3}`))
	if data := string(actor.Terminate().State.Data); data != `{"count":3}` {
		t.Errorf("it writes %s now", data)
	}
}

// The fixtures are what baton test plays with the built plugin; here they are played natively.
func TestFixtures(t *testing.T) {
	batontest.Fixtures(t, plugin, "fixtures")
}
