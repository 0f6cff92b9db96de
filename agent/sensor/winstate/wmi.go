package winstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sekisho/internal/policy"
)

// Words of the child's command line: `sekisho-agent ask wmi NAMESPACE CLASS WHERE PROPERTY...`, `sekisho-agent ask updates CAB`.
const (
	ChildWord    = "ask"
	askWMI       = "wmi"
	askUpdates   = "updates"
	wmiTime      = 20 * time.Second
	answersLast  = time.Minute
	maxInstances = 64
	maxAnswer    = 1 << 20 // bytes that the child may write
)

// reply is what the child writes: instances of a class, each by its properties.
type reply struct {
	Instances []instance `json:"instances"`
	Code      string     `json:"code,omitempty"` // policy's Code… constants
	Fault     string     `json:"fault,omitempty"`
}

// instance holds properties as text, numbers and booleans as JSON has them.
type instance map[string]any

type answer struct {
	reply
	at time.Time
}

// ask asks WMI through the child. What hangs is ended, what is broken says so.
func (e *Eyes) ask(ctx context.Context, namespace, class, where, property string) reply {
	names := wanted(class, property)
	key := strings.ToLower(namespace + ":" + class + ":" + where + ":" + strings.Join(names, ","))
	if a, ok := e.answers[key]; ok && e.Now().Sub(a.at).Abs() < answersLast {
		return a.reply
	}
	ctx, cancel := context.WithTimeout(ctx, wmiTime)
	defer cancel()
	out, err := e.Ask(ctx, append([]string{askWMI, namespace, class, where}, names...)...)
	r := readReply(out, err)
	e.answers[key] = answer{r, e.Now()}
	return r
}

func readReply(out []byte, err error) reply {
	if err != nil {
		return reply{Code: why(err), Fault: err.Error()}
	}
	if len(out) >= maxAnswer {
		return reply{Code: policy.CodeTooLong, Fault: "cannot use what WMI says: it is too long"}
	}
	var r reply
	if err := json.Unmarshal(out, &r); err != nil {
		return reply{Code: policy.CodeFailed, Fault: "cannot read what WMI says: " + err.Error()}
	}
	if len(r.Instances) > maxInstances {
		return reply{Code: policy.CodeTooLong, Fault: fmt.Sprintf("cannot use what WMI says: more than %d instances", maxInstances)}
	}
	return r
}

// Property reads a property of a class that should have one instance. Two that differ are no answer.
func (e *Eyes) Property(ctx context.Context, p policy.Place) policy.Raw {
	r := e.ask(ctx, p.Path, p.Class, "", p.Value)
	if r.Code != "" {
		return policy.Raw{Code: r.Code, Fault: r.Fault}
	}
	if len(r.Instances) == 0 {
		return policy.Raw{Code: policy.CodeMissing, Fault: "cannot read " + p.Class + ": WMI has no instance of it"}
	}
	first := ""
	for i, in := range r.Instances {
		text, err := in.text(p.Value)
		switch {
		case err != nil:
			return policy.Raw{Code: policy.CodeMissing, Fault: "cannot read " + p.Class + "." + p.Value + ": " + err.Error()}
		case i > 0 && text != first:
			return policy.Raw{Code: policy.CodeDisagree, Fault: fmt.Sprintf("cannot read %s.%s: WMI gives %d answers", p.Class, p.Value, len(r.Instances))}
		}
		first = text
	}
	return p.Trim(policy.Raw{Text: first})
}

var errNoProperty = errors.New("there is no such property, or it has no value")

func (in instance) text(name string) (string, error) {
	for k, v := range in {
		if !strings.EqualFold(k, name) {
			continue
		}
		switch v := v.(type) {
		case string:
			return v, nil
		case bool:
			return strconv.FormatBool(v), nil
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64), nil
		}
	}
	return "", errNoProperty
}

func (in instance) number(name string) (uint64, error) {
	s, err := in.text(name)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s is no number: %q", name, policy.OneLine(s))
	}
	return n, nil
}

const (
	centerSpace    = `root\SecurityCenter2`
	centerProduct  = "AntiVirusProduct"
	centerFirewall = "FirewallProduct"
)

// Witness holds what was read of products against Security Center.
func (e *Eyes) Witness(ctx context.Context, readings []policy.Reading, probes []policy.Probe) []policy.Reading {
	return policy.Witness(readings, probes, e.testimony(ctx, centerProduct), e.of("", "Security Center"))
}

// testimony is what Security Center says. Servers have none (https://learn.microsoft.com/windows/win32/api/iwscapi/); a client must.
func (e *Eyes) testimony(ctx context.Context, class string) policy.Testimony {
	kind, err := e.words(versionKey, "InstallationType")
	if err == nil && strings.HasPrefix(strings.ToLower(kind), "server") {
		return policy.Testimony{None: true}
	}
	r := e.ask(ctx, centerSpace, class, "", "")
	if r.Code != "" {
		return policy.Testimony{Code: r.Code, Fault: r.Fault}
	}
	var t policy.Testimony
	for _, in := range r.Instances {
		name, err1 := in.text("displayName")
		state, err2 := in.number("productState")
		if err1 != nil || err2 != nil {
			return policy.Testimony{Code: policy.CodeWrongType, Fault: "cannot read what Security Center says: a product has no name or no state"}
		}
		t.Rows = append(t.Rows, policy.CenterRow{Name: policy.OneLine(name), State: state, Gone: e.gone(in)})
	}
	return t
}

// gone says that the program of a row is known and not there any more. windowsdefender:// is no file.
func (e *Eyes) gone(in instance) bool {
	exe, err := in.text("pathToSignedReportingExe")
	if err != nil || exe == "" || strings.Contains(exe, "://") {
		return false
	}
	return !e.Machine.Exists(exe)
}
