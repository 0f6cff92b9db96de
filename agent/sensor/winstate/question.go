package winstate

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"sekisho/internal/policy"
)

// question is what the child is asked.
type question struct {
	updates          bool
	cab              string
	namespace, class string
	where            string
	wanted           []string
}

var (
	spaceForm = regexp.MustCompile(`(?i)^root(\\[a-z0-9_]{1,64}){0,8}$`)
	wordForm  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	whereForm = regexp.MustCompile(`^[A-Za-z]{1,32} = '[0-9a-f-]{1,64}'$`)
)

var errQuestion = errors.New("cannot answer: the question is none that this program asks itself")

// readQuestion takes only what Eyes ask: the child is a word of the command line, and anybody may type it.
func readQuestion(words []string) (question, error) {
	switch {
	case len(words) == 2 && words[0] == askUpdates:
		return question{updates: true, cab: words[1]}, nil
	case len(words) < 5 || words[0] != askWMI:
		return question{}, errQuestion
	}
	q := question{namespace: words[1], class: words[2], where: words[3], wanted: words[4:]}
	if !spaceForm.MatchString(q.namespace) || !wordForm.MatchString(q.class) || q.where != "" && !whereForm.MatchString(q.where) || len(q.wanted) > 40 {
		return question{}, errQuestion
	}
	for _, w := range q.wanted {
		if !wordForm.MatchString(w) {
			return question{}, errQuestion
		}
	}
	return q, nil
}

func (q question) text() string {
	if q.where == "" {
		return "SELECT * FROM " + q.class
	}
	return "SELECT * FROM " + q.class + " WHERE " + q.where
}

// usual are the properties that are read of a class in one question.
var usual = map[string][]string{
	"msft_mpcomputerstatus":    {"AMRunningMode", "AMProductVersion", "AntivirusSignatureLastUpdated", "FullScanEndTime", "IsTamperProtected", "QuickScanEndTime", "RealTimeProtectionEnabled"},
	"antivirusproduct":         {"displayName", "pathToSignedReportingExe", "productState"},
	"firewallproduct":          {"displayName", "pathToSignedReportingExe", "productState"},
	"win32_encryptablevolume":  {"DriveLetter", "ProtectionStatus", "VolumeType"},
	"softwarelicensingproduct": {"LicenseStatus"},
}

// wanted gives what to read of a class.
func wanted(class, property string) []string {
	out := slices.Clone(usual[strings.ToLower(class)])
	if property != "" && !slices.ContainsFunc(out, func(s string) bool { return strings.EqualFold(s, property) }) {
		out = append(out, property)
	}
	return out
}

func clip(s string) string {
	if len(s) > policy.MaxValue {
		return strings.ToValidUTF8(s[:policy.MaxValue], "")
	}
	return s
}
