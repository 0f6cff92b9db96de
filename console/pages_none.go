//go:build nopages

package main

import (
	"net/http"

	"github.com/rs/zerolog"

	"sekisho/console/carryout"
)

// pages is nothing: a console for terminals alone, as the bench wants it.
func pages(*house, *carryout.Office, zerolog.Logger) (http.Handler, error) {
	return http.NotFoundHandler(), nil
}
