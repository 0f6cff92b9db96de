package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"sekisho/internal/policy"
)

// The vectors were computed apart from this code: SHA-256 of the hash before, the number as 8 bytes big-endian, the body.
func TestTheChainIsTheOneThatIsDocumented(t *testing.T) {
	first := Chain(Hash{}, 1, []byte(`{"kind":"agent","code":"started"}`))
	if want := "f62dd158c5d2a152939ef439b145271585ca91c10f2f1edee0d077fa462e62f8"; first.String() != want {
		t.Errorf("record 1: %s, not %s", first, want)
	}
	second := Chain(first, 2, []byte(`{"note":"関所"}`))
	if want := "d1ebfacf48ad2a77e2b5c316b7094af69178f5566f2afe6c60aaa03f51262aba"; second.String() != want {
		t.Errorf("record 2: %s, not %s", second, want)
	}
}

func TestTheChainNoticesAnotherOrderNumberOrBody(t *testing.T) {
	prev := Chain(Hash{}, 1, []byte("a"))
	same := Chain(prev, 2, []byte("b"))
	for what, other := range map[string]Hash{
		"body": Chain(prev, 2, []byte("c")), "number": Chain(prev, 3, []byte("b")), "hash before": Chain(Hash{}, 2, []byte("b")),
	} {
		if other == same {
			t.Errorf("another %s gives the same hash", what)
		}
	}
}

func TestAHashSurvivesTheJourneyAsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sent, got Hash
		copy(sent[:], rapid.SliceOfN(rapid.Byte(), len(sent), len(sent)).Draw(t, "hash"))
		text, err := json.Marshal(sent)
		if err != nil || string(text) != `"`+sent.String()+`"` {
			t.Fatalf("%s: %v", text, err)
		}
		if err := json.Unmarshal(text, &got); err != nil || got != sent {
			t.Fatalf("%s became %s: %v", sent, got, err)
		}
	})
}

func TestAHashThatCannotBeReadChangesNothing(t *testing.T) {
	for _, text := range []string{"ab", strings.Repeat("a", 63), strings.Repeat("a", 65), strings.Repeat("a", 66), "00" + strings.Repeat("z", 62), strings.Repeat("あ", 64)} {
		h := Hash{1}
		if err := h.UnmarshalText([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), "cannot read hash") {
			t.Errorf("%q: %v", text, err)
		}
		if h != (Hash{1}) {
			t.Errorf("%q left %s behind", text, h)
		}
	}
	h := Hash{1}
	if err := h.UnmarshalText(nil); err != nil || h != (Hash{}) {
		t.Errorf("empty text: %s, %v", h, err)
	}
}

// FuzzHash: text is read as what it says or not at all.
func FuzzHash(f *testing.F) {
	f.Add([]byte(strings.Repeat("0f", 32)))
	f.Add([]byte(""))
	f.Add([]byte("xyz"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var h Hash
		if h.UnmarshalText(text) == nil && len(text) > 0 && h.String() != strings.ToLower(string(text)) {
			t.Fatalf("%q was read as %s", text, h)
		}
	})
}

// awkward is what JSON encoders like to rewrite.
const awkward = "<stick> & \"card\" \u2028\u2029 \x00\x1f\x7f 関所 \U0001F4BE \xff\xfe \\u003c"

// carry sends entries as link does and reads them as the console does.
func carry(t interface{ Fatal(...any) }, sent EventsRequest) EventsRequest {
	message, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	var got EventsRequest
	if err := json.Unmarshal(message, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestARecordsBytesSurviveTheJourneyAndSoDoesItsHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.OneOf(rapid.Just(awkward), rapid.String())
		body, err := json.Marshal(Record{
			Kind: RecordDevice, At: time.Date(2026, 11, 24, 9, 41, 7, 214e6, time.FixedZone("JST", 9*3600)), Note: words.Draw(t, "note"),
			Event: &policy.Event{What: policy.EventAttach, Device: policy.Device{
				Kinds: []policy.Kind{policy.KindStorage}, Serial: words.Draw(t, "serial"), Capacity: rapid.Int64().Draw(t, "capacity"),
			}},
		})
		if err != nil {
			t.Fatal(err)
		}
		prev := Chain(Hash{}, 6, nil)
		got := carry(t, EventsRequest{First: 7, Prev: prev, Entries: []Entry{{Hash: Chain(prev, 7, body), Body: body}}})
		if !bytes.Equal(got.Entries[0].Body, body) {
			t.Fatalf("sent %s\ngot  %s", body, got.Entries[0].Body)
		}
		if Chain(got.Prev, got.First, got.Entries[0].Body) != got.Entries[0].Hash {
			t.Fatal("the chain does not hold any more")
		}
	})
}

// TestABodyThatJSONMarshalDidNotMakeIsRewrittenOnTheWay is why Entry says where a body must come from.
func TestABodyThatJSONMarshalDidNotMakeIsRewrittenOnTheWay(t *testing.T) {
	for _, body := range []string{`{"note":"<"}`, `{"note": "spaced"}`, "{\"note\":\"\u2028\"}"} {
		got := carry(t, EventsRequest{Entries: []Entry{{Body: json.RawMessage(body)}}})
		if string(got.Entries[0].Body) == body {
			t.Errorf("%s arrived untouched", body)
		}
	}
}

func TestAStatusReportAloneStaysSmall(t *testing.T) {
	message, err := json.Marshal(EventsRequest{Version: Version, Outbox: "o"})
	if want := `{"version":5,"outbox":"o"}`; err != nil || string(message) != want {
		t.Errorf("%s, not %s (%v)", message, want, err)
	}
}

func TestARecordThatSaysNothingOmitsWhatItDoesNotKnow(t *testing.T) {
	message, err := json.Marshal(Record{Kind: RecordAgent, Code: "started"})
	if want := `{"kind":"agent","at":"0001-01-01T00:00:00Z","code":"started"}`; err != nil || string(message) != want {
		t.Errorf("%s, not %s (%v)", message, want, err)
	}
}
