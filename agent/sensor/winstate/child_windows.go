package winstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/go-ole/go-ole"
	"github.com/go-ole/go-ole/oleutil"

	"sekisho/internal/osexec"
	"sekisho/internal/policy"
)

const wmiMemory = 128 << 20

// askChild runs this program again as the child that answers one question: COM may hang, leak and crash there.
func askChild(ctx context.Context, question ...string) ([]byte, error) {
	o := osexec.Options{Timeout: wmiTime, Memory: wmiMemory}
	if len(question) > 0 && question[0] == askUpdates {
		o.Timeout, o.Memory = SearchTime, SearchMemory
	}
	return osexec.Self(ctx, o, append([]string{ChildWord}, question...)...)
}

// Answer is what the child does: it writes one reply, whatever happened.
func Answer(_ context.Context, out io.Writer, question []string) error {
	runtime.LockOSThread() // COM is bound to its thread
	defer runtime.UnlockOSThread()
	q, err := readQuestion(question)
	if err != nil {
		return err
	}
	if err := ole.CoInitializeEx(0, ole.COINIT_APARTMENTTHREADED); err != nil {
		return json.NewEncoder(out).Encode(reply{Code: policy.CodeFailed, Fault: "cannot start COM: " + err.Error()})
	}
	defer ole.CoUninitialize()
	if q.updates {
		return json.NewEncoder(out).Encode(searchHere(q.cab))
	}
	r := reply{Instances: []instance{}}
	if err := q.instances(func(in instance) error {
		if len(r.Instances) > maxInstances {
			return errTooMany
		}
		r.Instances = append(r.Instances, in)
		return nil
	}); err != nil {
		r = reply{Code: codeOf(err), Fault: "cannot ask WMI: " + faultOf(err)}
	}
	return json.NewEncoder(out).Encode(r)
}

var errTooMany = errors.New("too many instances")

// Errors of WMI and COM (https://learn.microsoft.com/windows/win32/wmisdk/wmi-error-constants).
const (
	wbemDenied      = 0x80041003
	wbemNotFound    = 0x80041002
	wbemNoNamespace = 0x8004100e
	wbemNoClass     = 0x80041010
	comDenied       = 0x80070005
	comNoClass      = 0x80040154
	comNoName       = 0x800401f3
	comNotThere     = 0x80004001 // E_NOTIMPL
)

// hresult is the innermost error: where a call failed inside, the outer code only says that it did.
func hresult(err error) uint64 {
	var o *ole.OleError
	if !errors.As(err, &o) {
		return 0
	}
	if info, ok := o.SubError().(ole.EXCEPINFO); ok && info.SCODE() != 0 {
		return uint64(info.SCODE())
	}
	return uint64(o.Code()) & 0xffffffff
}

func codeOf(err error) string {
	switch hresult(err) {
	case wbemDenied, comDenied:
		return policy.CodeDenied
	case wbemNoNamespace, wbemNoClass, wbemNotFound, comNoClass, comNoName, comNotThere:
		return policy.CodeNoSource
	}
	if errors.Is(err, errTooMany) {
		return policy.CodeTooLong
	}
	return policy.CodeFailed
}

func faultOf(err error) string {
	return fmt.Sprintf("%s (0x%08x)", policy.OneLine(err.Error()), hresult(err))
}

// object makes one of COM's objects by its name.
func object(name string) (*ole.IDispatch, error) {
	unknown, err := oleutil.CreateObject(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer unknown.Release()
	d, err := unknown.QueryInterface(ole.IID_IDispatch)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}

// get gives an object that a property holds.
func get(d *ole.IDispatch, name string, params ...any) (*ole.IDispatch, error) {
	v, err := oleutil.GetProperty(d, name, params...)
	return dispatch(name, v, err)
}

// do gives the object that a method answers with.
func do(d *ole.IDispatch, name string, params ...any) (*ole.IDispatch, error) {
	v, err := oleutil.CallMethod(d, name, params...)
	return dispatch(name, v, err)
}

func dispatch(name string, v *ole.VARIANT, err error) (*ole.IDispatch, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if v.VT != ole.VT_DISPATCH || v.ToIDispatch() == nil {
		_ = v.Clear()
		return nil, fmt.Errorf("%s: it gives no object", name)
	}
	return v.ToIDispatch(), nil
}

// instances asks WMI (https://learn.microsoft.com/windows/win32/wmisdk/scripting-api-for-wmi).
func (q question) instances(each func(instance) error) error {
	locator, err := object("WbemScripting.SWbemLocator")
	if err != nil {
		return err
	}
	defer locator.Release()
	service, err := do(locator, "ConnectServer", ".", q.namespace)
	if err != nil {
		return err
	}
	defer service.Release()
	found, err := do(service, "ExecQuery", q.text())
	if err != nil {
		return err
	}
	defer found.Release()
	return oleutil.ForEach(found, func(v *ole.VARIANT) error {
		d := v.ToIDispatch()
		if d == nil {
			return errors.New("an instance is no object")
		}
		defer d.Release()
		in, err := q.properties(d)
		if err != nil {
			return err
		}
		return each(in)
	})
}

// properties reads those that were asked for. One that the class does not have, or that has no value, is left out.
func (q question) properties(d *ole.IDispatch) (instance, error) {
	list, err := get(d, "Properties_")
	if err != nil {
		return nil, err
	}
	defer list.Release()
	in := instance{}
	for _, name := range q.wanted {
		p, err := do(list, "Item", name)
		if err != nil {
			continue
		}
		v, err := oleutil.GetProperty(p, "Value")
		p.Release()
		if err != nil {
			continue
		}
		switch x := v.Value().(type) {
		case string:
			in[name] = clip(x)
		case bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, int, uint:
			in[name] = x
		}
		_ = v.Clear()
	}
	return in, nil
}

// searchHere asks Windows Update (https://learn.microsoft.com/windows/win32/wua_sdk/). Online is false: nobody is asked over a network.
func searchHere(cab string) search {
	s, err := searchUpdates(cab)
	if err != nil {
		return search{Code: codeOf(err), Fault: "cannot search for updates: " + faultOf(err)}
	}
	return s
}

const (
	ssOthers     = 3                                      // ServerSelection: the service that ServiceID names
	securityKind = "0fa1201d-4330-4fa8-8ae9-b877473b6441" // category "Security Updates"
	criteria     = "IsInstalled=0 and IsHidden=0 and Type='Software'"
)

func searchUpdates(cab string) (s search, err error) {
	session, err := object("Microsoft.Update.Session")
	if err != nil {
		return s, err
	}
	defer session.Release()
	searcher, err := do(session, "CreateUpdateSearcher")
	if err != nil {
		return s, err
	}
	defer searcher.Release()
	if _, err = oleutil.PutProperty(searcher, "Online", false); err != nil {
		return s, err
	}
	if cab != "" {
		leave, err := offline(searcher, cab)
		if err != nil {
			return s, err
		}
		defer leave()
	}
	result, err := do(searcher, "Search", criteria)
	if err != nil {
		return s, err
	}
	defer result.Release()
	updates, err := get(result, "Updates")
	if err != nil {
		return s, err
	}
	defer updates.Release()
	if s.Missing, err = missing(updates, cab != ""); err != nil {
		return s, err
	}
	s.RebootRequired, s.Installed = rebootRequired(), lastInstalled()
	return s, nil
}

// offline makes the catalogue file a source of its own, until leave is called.
func offline(searcher *ole.IDispatch, cab string) (leave func(), err error) {
	manager, err := object("Microsoft.Update.ServiceManager")
	if err != nil {
		return nil, err
	}
	service, err := do(manager, "AddScanPackageService", "Sekisho", cab)
	if err != nil {
		manager.Release()
		return nil, err
	}
	defer service.Release()
	id, err := oleutil.GetProperty(service, "ServiceID")
	if err != nil {
		manager.Release()
		return nil, err
	}
	name := id.ToString()
	leave = func() {
		_, _ = oleutil.CallMethod(manager, "RemoveService", name)
		manager.Release()
	}
	if _, err = oleutil.PutProperty(searcher, "ServerSelection", ssOthers); err == nil {
		_, err = oleutil.PutProperty(searcher, "ServiceID", name)
	}
	if err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

func missing(updates *ole.IDispatch, all bool) ([]waiting, error) {
	count, err := oleutil.GetProperty(updates, "Count")
	if err != nil {
		return nil, err
	}
	var out []waiting
	for i := range int(count.Val) {
		u, err := get(updates, "Item", i)
		if err != nil {
			return nil, err
		}
		if all || isSecurity(u) {
			out = append(out, describe(u))
		}
		u.Release()
		if len(out) > maxMissing {
			return nil, errTooMany
		}
	}
	return out, nil
}

func isSecurity(u *ole.IDispatch) bool {
	if textOf(u, "MsrcSeverity") != "" {
		return true
	}
	kinds, err := get(u, "Categories")
	if err != nil {
		return true // nobody knows: it is shown
	}
	defer kinds.Release()
	is := false
	err = oleutil.ForEach(kinds, func(v *ole.VARIANT) error {
		if d := v.ToIDispatch(); d != nil {
			is = is || textOf(d, "CategoryID") == securityKind
			d.Release()
		}
		return nil
	})
	return is || err != nil
}

func describe(u *ole.IDispatch) waiting {
	w := waiting{Title: clip(textOf(u, "Title"))}
	if list, err := get(u, "KBArticleIDs"); err == nil {
		if v, err := oleutil.GetProperty(list, "Item", 0); err == nil {
			w.KB = "KB" + clip(v.ToString())
		}
		list.Release()
	}
	w.Released = momentOf(u, "LastDeploymentChangeTime")
	return w
}

func textOf(d *ole.IDispatch, name string) string {
	v, err := oleutil.GetProperty(d, name)
	if err != nil {
		return ""
	}
	defer func() { _ = v.Clear() }()
	s, _ := v.Value().(string)
	return s
}

// momentOf reads a DATE, which these objects give in UTC.
func momentOf(d *ole.IDispatch, name string) string {
	v, err := oleutil.GetProperty(d, name)
	if err != nil {
		return ""
	}
	defer func() { _ = v.Clear() }()
	if t, ok := v.Value().(time.Time); ok && t.Year() > 1999 {
		return t.UTC().Format(time.RFC3339)
	}
	return ""
}

func rebootRequired() bool {
	d, err := object("Microsoft.Update.SystemInfo")
	if err != nil {
		return false
	}
	defer d.Release()
	v, err := oleutil.GetProperty(d, "RebootRequired")
	yes, ok := false, false
	if err == nil {
		yes, ok = v.Value().(bool)
	}
	return ok && yes
}

func lastInstalled() string {
	d, err := object("Microsoft.Update.AutoUpdate")
	if err != nil {
		return ""
	}
	defer d.Release()
	results, err := get(d, "Results")
	if err != nil {
		return ""
	}
	defer results.Release()
	return momentOf(results, "LastInstallationSuccessDate")
}
