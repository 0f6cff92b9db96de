package web

import (
	"sync"
	"time"
)

// addressTries is how often one address may try to sign in within lockWindow without success. Each try is written down,
// so that without this bound anybody on the network could fill the disk with invented names.
const addressTries = 30

// maxAddresses bounds memory; behind it all addresses are one.
const maxAddresses = 10_000

// knocks counts tries to sign in by address; the zero value works. Each replica counts for itself.
type knocks struct {
	mu    sync.Mutex
	since time.Time
	by    map[string]int
}

// enter counts a try and says whether it may go on.
func (k *knocks) enter(address string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.by == nil || now.Sub(k.since).Abs() >= lockWindow {
		k.since, k.by = now, map[string]int{}
	}
	if _, known := k.by[address]; !known && len(k.by) >= maxAddresses {
		address = ""
	}
	k.by[address]++
	return k.by[address] <= addressTries
}

// forget is for an address from which somebody signed in.
func (k *knocks) forget(address string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.by, address)
}
