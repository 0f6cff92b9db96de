package outbox

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"sekisho/internal/wire"
)

// sized is a record of about 400 bytes, as a device's is.
func sized(n int) []byte {
	return fmt.Appendf(nil, `{"kind":"agent","note":"%08d %s"}`, n, bytes.Repeat([]byte("x"), 360))
}

// BenchmarkAppendGroup appends groups of 100 records, one fsync each.
func BenchmarkAppendGroup(b *testing.B) { benchmarkGroups(b, 100) }

// BenchmarkAppendOne appends one record an fsync, as a quiet terminal does.
func BenchmarkAppendOne(b *testing.B) { benchmarkGroups(b, 1) }

func benchmarkGroups(b *testing.B, size int) {
	o := open(b, benchDir(b), Options{MaxBytes: 1 << 34})
	group := make([][]byte, size)
	for i := range group {
		group[i] = sized(i)
	}
	for b.Loop() {
		if _, err := o.Append(group...); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkFileFsync is the floor: the same bytes written to a bare file with the same number of fsyncs.
func BenchmarkFileFsync(b *testing.B) {
	f, err := os.CreateTemp(benchDir(b), "bare")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	group := bytes.Repeat(sized(1), 100)
	for b.Loop() {
		if _, err := f.Write(group); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*100)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkNextDrop reads and forgets batches of 500.
func BenchmarkNextDrop(b *testing.B) {
	o := open(b, benchDir(b), Options{MaxBytes: 1 << 34})
	n := 0
	for b.Loop() {
		if o.Len() == 0 {
			b.StopTimer()
			var group [][]byte
			for i := range 20_000 {
				group = append(group, sized(i))
			}
			for at := 0; at < len(group); at += 2000 {
				must[uint64](b)(o.Append(group[at : at+2000]...))
			}
			b.StartTimer()
		}
		req := must[wire.EventsRequest](b)(o.Next(wire.MaxEntries))
		n += len(req.Entries)
		if err := o.Drop(req.First + uint64(len(req.Entries)) - 1); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

// benchDir is on the disk that SEKISHO_BENCH_DIR names: a RAM disk would make fsync free.
func benchDir(b *testing.B) string {
	if dir := os.Getenv("SEKISHO_BENCH_DIR"); dir != "" {
		return must[string](b)(os.MkdirTemp(dir, "outbox"))
	}
	return b.TempDir()
}
