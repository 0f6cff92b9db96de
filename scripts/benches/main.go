//go:build linux

// Command benches measures Sekisho and prints one line for every figure. It never changes the machine that it runs on
// beyond temporary folders and processes of its own; devices are only touched in the lab's virtual machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const usage = `bench: measures Sekisho

  bench NAME [flags]

  outbox      the terminal's journal: records a second appended
  checks      a round of the terminal's checks on this machine: processor, memory, bytes
  ingest      the console: records a second stored, lost and doubled when it is killed
  inventory   2,000 packages looked at, against dpkg-query; what one install costs on the wire
  matrix      the page of 5,000 terminals × 20 checks, at the server
  fleet       the pages of all terminals' software, 300 terminals × 2,000 programs; what such a list costs to keep
  fleet-wide  the same of 5,000 terminals × 300 programs
  idle        the console with a thousand terminals connected
  whatif      the console says what a draft would have done about a million recorded events of software
  gate        does any byte get through; from the kernel's word to the verdict, against USBGuard  (lab)
  decision    the second half of gate alone                                                       (lab)
  grant       from the click to the usable stick                                                   (lab)
  footprint   what the agent costs, against USBGuard                                               (lab)
  exec        what the gate before programs adds to the start of one, against fapolicyd            (lab)
  upgrade     a system upgrade of 300 packages with that gate enforcing                            (lab)
  bypass      writes docs/bypasses.md: what gets past the gate before programs, and past fapolicyd  (lab)
  all         all of these but bypass and fleet-wide

flags:
  --rounds N      how often the lab's figures are taken (gate 30, grant 12, exec 8, upgrade 6, killed consoles 8)
  --clock C       "wall", or "instructions" of a machine that counts them, which no neighbour changes (exec both, upgrade wall)
  --for D         how long idle figures are watched (1m0s)
  --terminals N   simulated terminals of idle (1000)
  --bin DIR       folder with sekisho-agent, sekisho-console and guest; scripts/bench builds them

Figures go to stdout as "name value unit", followed by "peer-name value unit" where there is something to compare with,
and by "quartiles low..high" where all took turns.
Everything else goes to stderr. docs/benchmarks.md says how each is measured.
`

// bench is what every benchmark is given.
type bench struct {
	rounds    int
	clock     string
	watch     time.Duration
	terminals int
	bin       string
	out, err  io.Writer
}

type benchmark struct {
	name string
	run  func(context.Context, bench) error
}

func benchmarks() []benchmark {
	return []benchmark{
		{"outbox", outboxFigures}, {"inventory", inventoryFigures}, {"checks", checksFigures}, {"ingest", ingestFigures}, {"matrix", matrixFigures}, {"fleet", fleetFigures}, {"fleet-wide", fleetWideFigures}, {"idle", idleFigures}, {"whatif", whatifFigures},
		{"gate", gateFigures}, {"decision", decisionFigures}, {"grant", grantFigures}, {"footprint", footprintFigures},
		{"exec", execFigures}, {"upgrade", upgradeFigures}, {"bypass", bypassFigures},
	}
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == eaterWord {
		eat()
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func dispatch(ctx context.Context, args []string) error {
	b := bench{out: os.Stdout, err: os.Stderr}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.Usage = func() { fmt.Fprint(b.err, usage) }
	set.IntVar(&b.rounds, "rounds", 0, "")
	set.StringVar(&b.clock, "clock", "", "")
	set.DurationVar(&b.watch, "for", time.Minute, "")
	set.IntVar(&b.terminals, "terminals", 1000, "")
	set.StringVar(&b.bin, "bin", filepath.Join(os.TempDir(), "sekisho-bin"), "")
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		fmt.Fprint(b.out, usage)
		return nil
	}
	if err := set.Parse(args[1:]); err != nil || set.NArg() > 0 {
		return fmt.Errorf("cannot understand %q; bench --help tells the words", args[1:])
	}
	if !slices.Contains([]string{"", clockWall, clockInstructions}, b.clock) {
		return fmt.Errorf("cannot measure by %q: --clock is %q or %q", b.clock, clockWall, clockInstructions)
	}
	ran := false
	for _, one := range benchmarks() {
		if args[0] != one.name && (args[0] != "all" || one.name == "decision" || one.name == "bypass" || one.name == "fleet-wide") { // gate holds it
			continue
		}
		ran = true
		if err := one.run(ctx, b); err != nil {
			return fmt.Errorf("cannot measure %s: %w", one.name, err)
		}
	}
	if !ran {
		return fmt.Errorf("there is no benchmark %q; bench --help lists them", args[0])
	}
	return nil
}

// say tells what is being done.
func (b bench) say(format string, args ...any) { fmt.Fprintf(b.err, "bench: "+format+"\n", args...) }

// figure prints one figure.
func (b bench) figure(name string, value float64, unit string) {
	fmt.Fprintf(b.out, "%s %s %s\n", name, number(value), unit)
}

// against prints one figure and what another does in the same run.
func (b bench) against(name string, value float64, unit, peer string, other float64) {
	fmt.Fprintf(b.out, "%s %s %s %s %s %s\n", name, number(value), unit, peer, number(other), unit)
}

// spread prints the median of a figure that was taken many times, and behind it the quartiles.
func (b bench) spread(name, unit string, all []float64) {
	s := spreadOf(all)
	fmt.Fprintf(b.out, "%s %s %s quartiles %s\n", name, number(s.median), unit, s)
}

// spreadAgainst prints that of another in the same run as well.
func (b bench) spreadAgainst(name, unit string, all []float64, peer string, others []float64) {
	s, o := spreadOf(all), spreadOf(others)
	fmt.Fprintf(b.out, "%s %s %s %s %s %s quartiles %s %s\n", name, number(s.median), unit, peer, number(o.median), unit, s, o)
}

func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case math.Abs(v) >= 1000 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case math.Abs(v) >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// or gives what the caller asked for, or what is usual.
func or(asked, usual int) int {
	if asked > 0 {
		return asked
	}
	return usual
}
