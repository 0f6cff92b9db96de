package main

import (
	"os"

	"sekisho/console/depot"
)

// blobs gives what a terminal fetches by its hash, whichever folder keeps it.
type blobs []*depot.Depot

func (b blobs) Open(hash string) (f *os.File, err error) {
	for _, d := range b {
		if f, err = d.Open(hash); err == nil {
			return f, nil
		}
	}
	return nil, err
}
