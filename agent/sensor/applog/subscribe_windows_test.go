package applog

import (
	"context"
	"testing"
	"time"
)

// TestAWindowsWithoutTheseLogsSaysSo: an imitation of Windows has none; a real one tells nothing in this short time.
func TestAWindowsWithoutTheseLogsSaysSo(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	err := Watch(ctx, nil, func(e Event) { t.Logf("%+v", e) })
	if err == nil && ctx.Err() == nil {
		t.Error("it ended and said nothing")
	}
	t.Logf("it says %v", err)
}
