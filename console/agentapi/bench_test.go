package agentapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"
	"testing"

	"sekisho/internal/wire"
)

// BenchmarkIngest sends batches of 100 from many terminals over TLS; every one is on disk before it is answered.
// The batches are made beforehand: a real terminal makes them on its own machine.
func BenchmarkIngest(b *testing.B) {
	const terminals, records = 32, 100
	c := start(b)
	var all [terminals]*terminal
	var ready [terminals][][]byte
	for i := range all {
		all[i] = c.enrol(b)
		j := journal{outbox: "journal-1"}
		for range b.N/terminals + 1 {
			raw, err := json.Marshal(j.batch(b, records))
			must(b, err)
			ready[i] = append(ready[i], raw)
		}
	}
	b.ResetTimer()
	var wait sync.WaitGroup
	for i, t := range all {
		wait.Go(func() {
			for _, raw := range ready[i] {
				var a wire.EventsAnswer
				if status := send(b, t.Client, t.url+wire.PathEvents, bytes.NewReader(raw), nil, &a); status != http.StatusOK {
					b.Errorf("answered %d", status)
				}
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	n := terminals * (b.N/terminals + 1) * records
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
	b.ReportMetric(float64(len(ready[0][0]))/records, "bytes/record")
}
