package main

import (
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"sekisho/console/carryout"
	"sekisho/console/web"
)

// pages is the handler of the people's listener.
func pages(h *house, office *carryout.Office, log zerolog.Logger) (http.Handler, error) {
	return web.New(web.Options{
		DB: h.db, Carryout: office, Bundles: h.depot, References: h.references, Log: log, Now: time.Now, Zone: h.zone, Version: version,
		AgentURL: h.agentURL(), Fingerprint: h.ca.Fingerprint(), SilentAfter: h.config.SilentAfter,
	})
}
