package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// qmp is one conversation with QEMU's control socket (QEMU Machine Protocol, one JSON object a line).
type qmp struct {
	conn   net.Conn
	lines  *bufio.Scanner
	events []qmpMessage // arrived while an answer was awaited
}

type qmpMessage struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	Event string         `json:"event"`
	Data  map[string]any `json:"data"`
}

type args map[string]any

// dialQMP says hello; QEMU serves one conversation at a time, so every one is short.
func dialQMP(ctx context.Context, path string) (*qmp, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the machine: %w", err)
	}
	limit, has := ctx.Deadline()
	if !has {
		limit = time.Now().Add(time.Minute)
	}
	conn.SetDeadline(limit)
	q := &qmp{conn: conn, lines: bufio.NewScanner(conn)}
	q.lines.Buffer(nil, 4<<20)
	if _, err := q.next(); err != nil { // greeting
		conn.Close()
		return nil, err
	}
	if err := q.do("qmp_capabilities", nil, nil); err != nil {
		conn.Close()
		return nil, err
	}
	return q, nil
}

func (q *qmp) Close() error { return q.conn.Close() }

func (q *qmp) next() (m qmpMessage, err error) {
	if !q.lines.Scan() {
		if err := q.lines.Err(); err != nil {
			return m, fmt.Errorf("cannot read from the machine: %w", err)
		}
		return m, fmt.Errorf("cannot read from the machine: it is gone")
	}
	return m, json.Unmarshal(q.lines.Bytes(), &m)
}

// do sends one command and waits for its answer.
func (q *qmp) do(command string, with args, answer any) error {
	line, err := json.Marshal(map[string]any{"execute": command, "arguments": orEmpty(with)})
	if err != nil {
		return err
	}
	if _, err := q.conn.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("cannot send %s: %w", command, err)
	}
	for {
		m, err := q.next()
		switch {
		case err != nil:
			return fmt.Errorf("cannot hear the answer to %s: %w", command, err)
		case m.Event != "":
			q.events = append(q.events, m)
		case m.Error != nil:
			return fmt.Errorf("cannot %s: %s", command, m.Error.Desc)
		case answer == nil:
			return nil
		default:
			return json.Unmarshal(m.Return, answer)
		}
	}
}

// await waits for an event about a device.
func (q *qmp) await(event, device string) error {
	about := func(m qmpMessage) bool { return m.Event == event && m.Data["device"] == device }
	for _, m := range q.events {
		if about(m) {
			return nil
		}
	}
	for {
		m, err := q.next()
		if err != nil || about(m) {
			return err
		}
	}
}

func orEmpty(a args) args {
	if a == nil {
		return args{}
	}
	return a
}
