package web

import (
	"crypto/ed25519"
	"testing"
	"time"

	"sekisho/internal/seal"
)

// FuzzJudgeImport holds that only what a trusted key signed is said to be signed, and that nothing without name, kind and date is taken.
func FuzzJudgeImport(f *testing.F) {
	keys := map[string][]byte{seal.KeyID(publisher.Public().(ed25519.PublicKey)): publisher.Public().(ed25519.PublicKey)}
	f.Add("baseline", "2026-11", []byte(november))
	f.Add("", "", signed(publisher, november))
	f.Add("advisory", "", []byte("<oval/>"))
	f.Fuzz(func(t *testing.T, kind, month string, text []byte) {
		form := map[string]string{"kind": kind, "month": month, "name": "n", "made": "2026-11-12"}
		ref, content, problem := judgeImport(form, text, keys, calendar{"ja", tokyo}, noon)
		if problem != nil {
			return
		}
		if ref.Name == "" || ref.Kind == "" || ref.MadeAt.IsZero() || ref.MadeAt.After(noon.Add(48*time.Hour)) || len(content) == 0 {
			t.Fatalf("%+v was taken", ref)
		}
		if ref.SignedBy != "" && len(keys[ref.SignedBy]) == 0 {
			t.Fatalf("signed by %q, whom nobody trusts", ref.SignedBy)
		}
	})
}

// FuzzReadDays holds that what is read as a closed day is one.
func FuzzReadDays(f *testing.F) {
	f.Add("2027/1/1,元日\nR9.1.2\n20270103")
	f.Add("BEGIN:VCALENDAR\nDTSTART;VALUE=DATE:20270111\nEND:VCALENDAR")
	f.Fuzz(func(t *testing.T, text string) {
		days, _ := readDays(text)
		for _, day := range days {
			if _, err := time.Parse("2006-01-02", day); err != nil {
				t.Fatalf("%q gave %q", text, day)
			}
		}
	})
}
