//go:build linux

package main

import (
	"fmt"
	"slices"
)

// inWay says who stands in the way of programs for a while.
type inWay string

const (
	nobody inWay = "nobody"
	ours   inWay = "Sekisho"
	theirs inWay = "fapolicyd"
)

// turnsOf lets all take turns in short rounds: nobody before and after each, and who came first comes second in the next.
// What neighbours of the machine do then falls on all alike.
func turnsOf(rounds int) []inWay {
	all := []inWay{nobody}
	first, second := ours, theirs
	for range rounds {
		all = append(all, first, nobody, second, nobody)
		first, second = second, first
	}
	return all
}

// added is what one who stands in the way costs more than nobody right before and after, once for each of its turns.
func added(turns []inWay, took []float64, who inWay) (all []float64) {
	for i, t := range turns {
		if t == who {
			all = append(all, took[i]-(took[i-1]+took[i+1])/2)
		}
	}
	return all
}

// pairTurns is who stands in the way of each turn: both by turns, and the other way round in the second half, so that
// every pair of neighbours holds both and neither is always first.
func pairTurns(pairs int) (all []inWay) {
	for i := range pairs {
		if i < pairs/2 {
			all = append(all, nobody, ours)
		} else {
			all = append(all, ours, nobody)
		}
	}
	return all
}

// more is by how many percent each pair of turns took longer with us in the way.
func more(turns []inWay, took []float64) (all []float64) {
	for i := 0; i+1 < len(turns); i += 2 {
		free, gated := took[i], took[i+1]
		if turns[i] == ours {
			free, gated = gated, free
		}
		all = append(all, 100*(gated/free-1))
	}
	return all
}

// spread is how a figure came out that was taken many times; each is a value that occurred.
type spread struct{ low, median, high float64 }

func spreadOf(all []float64) spread {
	s := slices.Sorted(slices.Values(all))
	if len(s) == 0 {
		return spread{}
	}
	return spread{s[len(s)/4], s[len(s)/2], s[len(s)*3/4]}
}

func (s spread) String() string { return fmt.Sprintf("%s..%s", number(s.low), number(s.high)) }
