package web

import (
	"context"
	"fmt"
	"testing"

	"sekisho/internal/policy"
)

// BenchmarkTheMatrixOfAThousandTerminals is one page with everything behind it.
func BenchmarkTheMatrixOfAThousandTerminals(b *testing.B) {
	s := newSite(b, nil)
	f := s.fill()
	for i := range 1000 {
		id := fmt.Sprintf("t-%04d", i)
		s.terminal(id, fmt.Sprintf("KT-%05d", i), f.group)
		var results []policy.CheckResult
		for n, info := range policy.Catalogue()[:20] {
			r := policy.CheckResult{Check: info.ID, Result: policy.ResultPass, Since: s.now}
			if (i*7+n*3)%11 == 0 {
				r.Result, r.Stage, r.Code = policy.ResultFail, policy.StageViolation, policy.CodeBehind
			}
			results = append(results, r)
		}
		s.sheet(id, results...)
	}
	browser := s.as("1007")
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			browser.get("/health?area=all")
		}
	})
	b.Run("fleet", func(b *testing.B) {
		for b.Loop() {
			if _, err := s.db.HealthFleet(context.Background(), ""); err != nil {
				b.Fatal(err)
			}
		}
	})
}
