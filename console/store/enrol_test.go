package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestACodeForThreeTerminalsTakesThreeAndNamesThem(t *testing.T) {
	db := open(t)
	code := [32]byte{7}
	must(t, db.PutToken(t.Context(), Token{Hash: code, Group: "default", Note: "窓口", By: "1007", Uses: 3, ExpiresAt: noon.Add(LongestCode)}, noon))
	var late []error
	for i := range 5 {
		id := fmt.Sprint("t", i)
		err := db.Enroll(t.Context(), code, Terminal{ID: id, Name: "PC-" + id}, Certificate{Serial: id}, noon.Add(time.Duration(i)*time.Minute))
		if i < 3 {
			must(t, err)
		} else {
			late = append(late, err)
		}
	}
	for _, err := range late {
		if !errors.Is(err, ErrConflict) {
			t.Errorf("the fourth or fifth: %v", err)
		}
	}
	got, came, err := db.Token(t.Context(), 1)
	must(t, err)
	if got.Uses != 3 || got.Used != 3 || got.UsedBy != "PC-t2" || !got.UsedAt.Equal(noon.Add(2*time.Minute)) {
		t.Errorf("code %+v", got)
	}
	if len(came) != 3 || came[0].Name != "PC-t0" || came[2].Name != "PC-t2" || came[0].GroupName != "既定" {
		t.Errorf("came %+v", came)
	}
	if err := db.TokenUsable(t.Context(), code, noon); !errors.Is(err, ErrConflict) {
		t.Errorf("used up: %v", err)
	}
	if err := db.RevokeToken(t.Context(), 1, "1007", noon); !errors.Is(err, ErrConflict) {
		t.Errorf("withdrawing a used-up one: %v", err)
	}
	if _, _, err := db.Token(t.Context(), 99); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestTerminalsThatComeAtTheSameMomentCannotSqueezeThrough(t *testing.T) {
	db := open(t)
	code := [32]byte{7}
	must(t, db.PutToken(t.Context(), Token{Hash: code, Group: "default", Uses: 4, ExpiresAt: noon.Add(time.Hour)}, noon))
	var all sync.WaitGroup
	came := make(chan error, 12)
	for i := range 12 {
		all.Go(func() {
			id := fmt.Sprint("t", i)
			came <- db.Enroll(context.Background(), code, Terminal{ID: id, Name: id}, Certificate{Serial: id}, noon)
		})
	}
	all.Wait()
	close(came)
	good := 0
	for err := range came {
		if err == nil {
			good++
		} else if !errors.Is(err, ErrConflict) {
			t.Error(err)
		}
	}
	if good != 4 {
		t.Errorf("%d came with a code for 4", good)
	}
}

func TestACodeForManyCanBeWithdrawnInTheMiddle(t *testing.T) {
	db := open(t)
	code := [32]byte{7}
	must(t, db.PutToken(t.Context(), Token{Hash: code, Group: "default", Uses: 10, ExpiresAt: noon.Add(time.Hour)}, noon))
	must(t, db.Enroll(t.Context(), code, Terminal{ID: "t1"}, Certificate{Serial: "1"}, noon))
	must(t, db.RevokeToken(t.Context(), 1, "1007", noon))
	if err := db.Enroll(t.Context(), code, Terminal{ID: "t2"}, Certificate{Serial: "2"}, noon); !errors.Is(err, ErrConflict) {
		t.Errorf("after it was withdrawn: %v", err)
	}
}

func TestACodeIsBounded(t *testing.T) {
	db := open(t)
	for name, k := range map[string]Token{
		"too many terminals": {Uses: MostUses + 1, ExpiresAt: noon.Add(time.Hour)},
		"too long":           {Uses: 1, ExpiresAt: noon.Add(LongestCode + time.Second)},
	} {
		k.Group = "default"
		if err := db.PutToken(t.Context(), k, noon); err == nil {
			t.Errorf("%s: it was made", name)
		}
	}
}

// TestADatabaseOfTheFirstSchemaKeepsItsCodesAndWhoCameWithThem begins with rows as version 1 wrote them.
func TestADatabaseOfTheFirstSchemaKeepsItsCodesAndWhoCameWithThem(t *testing.T) {
	db := atVersion(t, 1, `INSERT INTO groups (id, name, created_at) VALUES ('default', '既定', 1);
		INSERT INTO tokens (hash, group_id, note, made_by, created_at, expires_at, used_at, used_by, revoked_at) VALUES
			(x'01', 'default', 'used', '1007', 1, 9, 5, 'PC-1', 0),
			(x'02', 'default', 'open', '1007', 1, 1799000000000, 0, '', 0),
			(x'03', 'default', 'withdrawn', '1007', 1, 9, 0, '', 4);
		INSERT INTO terminals (id, name, group_id, enrolled_at, os, arch, agent, revision, revised_at) VALUES
			('t1', 'PC-1', 'default', 5, 'linux', 'amd64', '0.1', 1, 5),
			('t0', 'PC-1', 'default', 4, 'linux', 'amd64', '0.1', 1, 4)`)
	used, came, err := db.Token(t.Context(), 1)
	must(t, err)
	if used.Uses != 1 || used.Used != 1 || len(came) != 1 || came[0].ID != "t1" {
		t.Errorf("the used one: %+v, came %+v", used, came)
	}
	for id, want := range map[int64]string{2: "open", 3: "withdrawn"} {
		got, came, err := db.Token(t.Context(), id)
		must(t, err)
		if got.Note != want || got.Uses != 1 || got.Used != 0 || len(came) != 0 {
			t.Errorf("%s: %+v, came %+v", want, got, came)
		}
	}
	code := [32]byte{2}
	_, err = db.writer.Exec(`UPDATE tokens SET hash = $1 WHERE id = 2`, code[:])
	must(t, err)
	must(t, db.Enroll(t.Context(), code, Terminal{ID: "t2", Name: "PC-2"}, Certificate{Serial: "2"}, noon))
}
