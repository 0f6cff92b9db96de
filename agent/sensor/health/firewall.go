package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sekisho/internal/osexec"
	"sekisho/internal/policy"
)

// firewall says for IPv4 and IPv6 whether what comes in is filtered. That a unit is active says nothing: an empty ruleset
// lets everything in.
func (e *Eyes) firewall(ctx context.Context) []policy.Reading {
	v4, v6 := e.of(policy.FactFirewall, "nft list ruleset"), e.of(policy.FactFirewall, "nft list ruleset")
	v4.Product, v6.Product = "IPv4", "IPv6"
	four, six, source, err := e.filters(ctx)
	v4.Source, v6.Source = source, source
	if err != nil {
		code := why(err)
		if errors.Is(err, osexec.ErrMissing) {
			code = policy.CodeNoSource
		} else if errors.Is(err, context.DeadlineExceeded) {
			code = policy.CodeTimeout
		}
		return []policy.Reading{v4.Unread(code, err.Error()), v6.Unread(code, err.Error())}
	}
	out := []policy.Reading{v4.Bool(four)}
	if e.tree.exists("/proc/net/if_inet6") {
		out = append(out, v6.Bool(six))
	}
	return out
}

// nftRuleset is what is needed of libnftables' JSON (libnftables-json(5)).
type nftRuleset struct {
	Nftables []struct {
		Chain *nftChain `json:"chain"`
		Rule  *nftRule  `json:"rule"`
	} `json:"nftables"`
}

type nftChain struct {
	Family, Table, Name, Hook, Policy, Type string
}

type nftRule struct {
	Family, Table, Chain string
	Expr                 []map[string]json.RawMessage
}

// nftFilters says whether incoming packets are dropped or refused by anything: by the policy of a chain that sees them,
// or by a rule that it leads to.
func nftFilters(b []byte) (four, six bool, err error) {
	var set nftRuleset
	if err := json.Unmarshal(b, &set); err != nil {
		return false, false, fmt.Errorf("cannot read the ruleset: %w", err)
	}
	rules := map[string][]*nftRule{}
	for _, o := range set.Nftables {
		if r := o.Rule; r != nil {
			key := r.Family + " " + r.Table + " " + r.Chain
			rules[key] = append(rules[key], r)
		}
	}
	for _, o := range set.Nftables {
		c := o.Chain
		if c == nil || c.Hook != "input" || c.Policy != "drop" && !refuses(rules, c.Family+" "+c.Table+" ", c.Name, 0) {
			continue
		}
		four = four || c.Family == "ip" || c.Family == "inet"
		six = six || c.Family == "ip6" || c.Family == "inet"
	}
	return four, six, nil
}

func refuses(rules map[string][]*nftRule, table, chain string, depth int) bool {
	if depth > maxDepth {
		return false
	}
	for _, r := range rules[table+chain] {
		for _, expr := range r.Expr {
			for verdict, arg := range expr {
				switch verdict {
				case "drop", "reject":
					return true
				case "jump", "goto":
					var to struct{ Target string }
					if json.Unmarshal(arg, &to) == nil && refuses(rules, table, to.Target, depth+1) {
						return true
					}
				}
			}
		}
	}
	return false
}

// iptablesFilters reads iptables-save(8): the input chain's own policy, or a rule anywhere that drops or refuses and that
// the input chain leads to.
func iptablesFilters(text string) bool {
	rules := map[string][]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, ":INPUT DROP") {
			return true
		}
		if f := strings.Fields(line); len(f) >= 4 && f[0] == "-A" {
			for i, w := range f[:len(f)-1] {
				if w == "-j" || w == "-g" {
					rules[f[1]] = append(rules[f[1]], f[i+1])
				}
			}
		}
	}
	return leadsToRefusal(rules, "INPUT", 0)
}

func leadsToRefusal(rules map[string][]string, chain string, depth int) bool {
	for _, to := range rules[chain] {
		if to == "DROP" || to == "REJECT" || depth < maxDepth && leadsToRefusal(rules, to, depth+1) {
			return true
		}
	}
	return false
}
