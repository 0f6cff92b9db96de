package wire

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func TestAListsTagDoesNotDependOnTheOrderAndForgetsWhatIsTakenAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Item {
			return Item{ID: rapid.StringN(1, 8, 32).Draw(t, "id"), Body: json.RawMessage(`"` + rapid.StringMatching(`[a-z]{0,5}`).Draw(t, "body") + `"`)}
		}), 1, 10, func(i Item) string { return i.ID }).Draw(t, "items")
		var forth, back Hash
		for n := range items {
			forth, back = forth.Mix(items[n]), back.Mix(items[len(items)-1-n])
		}
		if forth != back {
			t.Fatal("the order changes the tag")
		}
		for _, i := range items {
			forth = forth.Mix(i)
		}
		if forth != (Hash{}) {
			t.Fatal("an empty list has a tag")
		}
	})
}

func TestAnItemsIDAndBodyCannotBeMovedIntoEachOther(t *testing.T) {
	a := Hash{}.Mix(Item{ID: "ab", Body: json.RawMessage("1")})
	if b := (Hash{}).Mix(Item{ID: "a", Body: json.RawMessage("b1")}); a == b {
		t.Error("two different items have one tag")
	}
}
