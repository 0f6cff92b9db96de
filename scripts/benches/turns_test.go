//go:build linux

package main

import (
	"slices"
	"testing"
	"time"
)

func TestNobodyStandsInTheWayBeforeAndAfterEverybody(t *testing.T) {
	want := []inWay{nobody, ours, nobody, theirs, nobody, theirs, nobody, ours, nobody}
	if got := turnsOf(2); !slices.Equal(got, want) {
		t.Errorf("%v instead of %v", got, want)
	}
}

func TestAMachineThatGrowsSlowerAllTheTimeChangesNoFigure(t *testing.T) {
	turns := turnsOf(4)
	var took []float64
	for i, t := range turns {
		took = append(took, 20+float64(i)+map[inWay]float64{ours: 1, theirs: 5}[t])
	}
	for who, want := range map[inWay][]float64{ours: {1, 1, 1, 1}, theirs: {5, 5, 5, 5}} {
		if got := added(turns, took, who); !slices.Equal(got, want) {
			t.Errorf("%s: %v instead of %v", who, got, want)
		}
	}
}

func TestEachPairHoldsBothAndNeitherIsAlwaysFirst(t *testing.T) {
	turns := pairTurns(4)
	if want := []inWay{nobody, ours, nobody, ours, ours, nobody, ours, nobody}; !slices.Equal(turns, want) {
		t.Errorf("%v instead of %v", turns, want)
	}
	if got, want := more(turns, []float64{10, 11, 20, 25, 15, 10, 8, 10}), []float64{10, 25, 50, -20}; !near(got, want) {
		t.Errorf("%v instead of %v", got, want)
	}
}

func TestASpreadIsMadeOfValuesThatOccurred(t *testing.T) {
	if got, want := spreadOf([]float64{9, 1, 5, 3, 7}), (spread{3, 5, 7}); got != want {
		t.Errorf("%v instead of %v", got, want)
	}
	if got := spreadOf(nil); got != (spread{}) {
		t.Errorf("%v of nothing", got)
	}
	if got, want := (spread{-20000.4, 0, 0.5}).String(), "-20000..0.500"; got != want {
		t.Errorf("%s instead of %s", got, want)
	}
}

func near(got, want []float64) bool {
	return slices.EqualFunc(got, want, func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })
}

func TestWhatAMachineDidNotDoIsNoWork(t *testing.T) {
	got, err := parseSpending("1000000000\ncpu  10 0 5 100 7 0 0 0 0 0\n6000000000\ncpu  410 0 50 150 27 0 0 0 0 0\n")
	if want := (spending{took: 5 * time.Second, busy: 4300 * time.Millisecond}); err != nil || got != want {
		t.Errorf("%+v instead of %+v: %v", got, want, err)
	}
	for _, bad := range []string{"", "1\n2\n", "1\ncpu 1 1 1 1 1\nx\ncpu 1 1 1 1 1\n", "1\ncpu 1 1\n2\ncpu 1 1 1 1 1\n"} {
		if got, err := parseSpending(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, got)
		}
	}
}
