package link

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"sekisho/internal/wire"
)

// stall is how long a download may bring nothing before it counts as cut off.
const stall = time.Minute

// Busy says how long the console asks to wait before it is asked again; 0 when an error says nothing about it.
func Busy(err error) time.Duration {
	var r *refusal
	if errors.As(err, &r) {
		return r.after
	}
	return 0
}

// Blob asks for what the policy names by its hash, from a byte on. The caller checks what comes, and closes it.
func (l *Link) Blob(ctx context.Context, hash string, from int64) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.base+wire.PathBlob+hash, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	want := http.StatusOK
	if from > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		want = http.StatusPartialContent
	}
	alarm := time.AfterFunc(stall, cancel)
	res, err := l.caller.Load().do(req)
	if err != nil {
		cancel()
		return nil, err
	}
	if res.StatusCode != want {
		defer cancel()
		defer res.Body.Close()
		return nil, blobRefusal(res)
	}
	l.reached("blob")
	return &blob{res.Body, alarm, cancel}, nil
}

func blobRefusal(res *http.Response) error {
	raw, err := readBounded(res.Body, maxAnswer)
	if err != nil {
		return err
	}
	return refusalOf(res, raw)
}

// blob is an answer that ends when nothing comes any more.
type blob struct {
	body   io.ReadCloser
	alarm  *time.Timer
	cancel context.CancelFunc
}

func (b *blob) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if n > 0 {
		b.alarm.Reset(stall)
	}
	return n, err
}

func (b *blob) Close() error {
	b.alarm.Stop()
	b.cancel()
	return b.body.Close()
}
