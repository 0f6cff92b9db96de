package agentapi

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// childEnv names the folder of a console that runs in a process of its own, so that it can be measured alone.
const childEnv = "SEKISHO_TEST_CONSOLE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		testing.Benchmark(func(b *testing.B) {
			fmt.Println(startIn(b, dir, func(o *Options) { o.Hold, o.Look = 5*time.Minute, 30*time.Second }).url)
			io.Copy(io.Discard, os.Stdin) // until the parent ends
		})
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// BenchmarkIdleTerminals connects terminals that hang, each over its own connection with its own certificate,
// and measures the console's memory and processor time over a quiet quarter of a minute.
func BenchmarkIdleTerminals(b *testing.B) {
	const count = 1000 // as in a large office
	dir := b.TempDir()
	c := startIn(b, dir)
	all := make([]*terminal, count)
	for i := range all {
		all[i] = c.enrol(b)
	}
	c.stop()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"="+dir)
	hold, err := child.StdinPipe()
	must(b, err)
	out, err := child.StdoutPipe()
	must(b, err)
	must(b, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(b, err)
	pid := child.Process.Pid
	before := memory(b, pid)
	var answered sync.WaitGroup
	for _, tm := range all {
		tm.url = strings.TrimSpace(line)
		answered.Go(func() {
			if res, err := tm.ask(b, `"1"`); err == nil {
				res.Body.Close()
			}
		})
	}
	time.Sleep(45 * time.Second) // connections are made and the collector has run; this is a measurement, not a wait for something
	cpu, at := processor(b, pid), time.Now()
	time.Sleep(15 * time.Second)
	b.ReportMetric(float64(memory(b, pid)-before)/1024, "MB-more")
	b.ReportMetric((processor(b, pid)-cpu)/time.Since(at).Seconds()*100, "%-of-a-core")
	must(b, hold.Close())
	child.Wait()
	answered.Wait()
}

// memory is a process's resident memory in KB (proc_pid_status(5), VmRSS).
func memory(b *testing.B, pid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(b, err)
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	must(b, err)
	return n
}

// processor is a process's time in seconds (proc_pid_stat(5), utime and stime in hundredths).
func processor(b *testing.B, pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(b, err)
	f := strings.Fields(string(text)[strings.LastIndex(string(text), ")")+2:])
	user, err := strconv.Atoi(f[11])
	must(b, err)
	system, err := strconv.Atoi(f[12])
	must(b, err)
	return float64(user+system) / 100
}
