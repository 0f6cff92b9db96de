package main

import (
	"errors"
	"strings"
	"testing"
)

// values is a group policy; what begins with "!" cannot be read.
func values(v map[string]string) setting {
	return func(name string) (string, bool, error) {
		value, ok := v[name]
		if strings.HasPrefix(value, "!") {
			return "", false, errors.New(value[1:])
		}
		return value, ok, nil
	}
}

func TestAGroupPolicyWinsOverTheFile(t *testing.T) {
	file := config{Server: "https://old:8444", Fingerprint: "aa", Token: "file", State: defaultState}
	for _, c := range []struct {
		policy map[string]string
		want   config
	}{
		{nil, file},
		{map[string]string{"Server": "https://new:8444"}, config{Server: "https://new:8444", Fingerprint: "aa", Token: "file", State: defaultState}},
		{map[string]string{"Server": "https://new:8444", "Fingerprint": "bb", "Token": "policy"}, config{Server: "https://new:8444", Fingerprint: "bb", Token: "policy", State: defaultState}},
		{map[string]string{"TokenFile": `\\srv\sekisho$\code.txt`}, config{Server: "https://old:8444", Fingerprint: "aa", TokenFile: `\\srv\sekisho$\code.txt`, State: defaultState}},
	} {
		if got := file.managed("the policy", values(c.policy)); got != c.want {
			t.Errorf("%v gives %+v", c.policy, got)
		}
	}
}

func TestAGroupPolicyThatCannotBeUsedIsSaidAndTheFileCounts(t *testing.T) {
	file := config{Server: "https://old:8444", State: defaultState}
	for want, policy := range map[string]map[string]string{
		"cannot use Server in the policy: wrong type": {"Server": "!wrong type"},
		"https://": {"Server": "http://new"},
		"not both": {"Token": "a", "TokenFile": "b"},
	} {
		got := file.managed("the policy", values(policy))
		if !strings.Contains(got.complaint, want) {
			t.Errorf("%v: complaint %q", policy, got.complaint)
		}
		if got.complaint = ""; got != file {
			t.Errorf("%v gives %+v", policy, got)
		}
	}
}
