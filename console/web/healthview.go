package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"sekisho/internal/policy"
)

// areaFresh is the first question: patterns and patches.
const areaFresh, areaAll = "", "all"

// healthView is what the address says.
type healthView struct {
	Area, Group, Check, Text string
	Result                   policy.Result
	Stage                    string
	Page                     int
}

func readHealthView(q url.Values) healthView {
	v := healthView{Area: q.Get("area"), Group: q.Get("group"), Check: q.Get("check"), Text: cut(strings.TrimSpace(q.Get("q")), 200),
		Result: policy.Result(q.Get("result")), Stage: q.Get("stage")}
	v.Page, _ = strconv.Atoi(q.Get("page"))
	v.Page = max(1, min(v.Page, 10000))
	return v
}

func (v healthView) url(path string) string {
	q := url.Values{}
	for k, val := range map[string]string{"area": v.Area, "group": v.Group, "check": v.Check, "q": v.Text, "result": string(v.Result), "stage": v.Stage} {
		if val != "" {
			q.Set(k, val)
		}
	}
	if v.Page > 1 {
		q.Set("page", strconv.Itoa(v.Page))
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

func (v healthView) with(change func(*healthView)) string {
	v.Page = 1
	change(&v)
	return v.url("/health")
}

// columns are the checks that the view shows, in the catalogue's order.
func (v healthView) columns() []policy.CheckInfo {
	all := policy.Catalogue()
	return slices.DeleteFunc(all, func(c policy.CheckInfo) bool {
		switch v.Area {
		case areaAll:
			return false
		case areaFresh:
			return c.Area != policy.AreaAntivirus && c.Area != policy.AreaPatch && c.ID != v.Check
		}
		return c.Area != v.Area && c.ID != v.Check
	})
}

func toggled[T comparable](now, this T) (none T) {
	if now == this {
		return none
	}
	return this
}
