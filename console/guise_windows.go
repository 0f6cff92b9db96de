package main

import "sekisho/internal/durable"

// guise: on Windows a folder's rights pass on to what is made in it, nobody has to be somebody else.
type guise struct{}

func asOwner(_, _ string) (guise, error) { return guise{}, nil }

func (guise) write(_ string, do func() error) error { return do() }

func replace(path string, text []byte) error { return durable.WriteFile(path, text, 0o600) }
