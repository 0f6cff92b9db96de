package winstate

import (
	"strings"
	"time"

	"sekisho/internal/policy"
)

// Account is one local account.
type Account struct {
	Name       string
	RID        uint32
	Disabled   bool
	NoPassword bool      // none is needed
	Login      time.Time // zero is never
	Changed    time.Time // when the password was set
}

// Member is who belongs to the administrators.
type Member struct {
	Name string
	SID  string
}

// Numbers of accounts (https://learn.microsoft.com/windows-server/identity/ad-ds/manage/understand-security-identifiers).
const (
	ridAdministrator = 500
	ridGuest         = 501
	ridPeople        = 1000
)

func (e *Eyes) accounts() []policy.Reading {
	guests, weak := e.of(policy.FactGuests, "NetUserEnum"), e.of(policy.FactWeak, "NetUserEnum")
	used, admins := e.of(policy.FactAccounts, "NetUserEnum"), e.of(policy.FactAdmins, "NetLocalGroupGetMembers")
	users, err := e.Machine.Users()
	if err != nil {
		return []policy.Reading{unread(guests, err), unread(weak, err), unread(used, err), e.admins(admins, nil), e.minLength()}
	}
	return []policy.Reading{guests.List(guestsOf(users)), weak.List(weakOf(users)), used.List(peopleOf(users)), e.admins(admins, users), e.minLength()}
}

// guestsOf: the name may be in any language, the number is not.
func guestsOf(users []Account) (out []policy.Entry) {
	for _, u := range users {
		if u.RID == ridGuest && !u.Disabled {
			out = append(out, policy.Entry{Word: policy.OneLine(u.Name)})
		}
	}
	return out
}

func weakOf(users []Account) (out []policy.Entry) {
	for _, u := range users {
		if u.NoPassword && !u.Disabled && u.RID != ridGuest {
			out = append(out, policy.Entry{Word: policy.OneLine(u.Name) + ": no password needed"})
		}
	}
	return out
}

func peopleOf(users []Account) (out []policy.Entry) {
	for _, u := range users {
		if u.Disabled || u.RID < ridPeople && u.RID != ridAdministrator {
			continue
		}
		at := u.Login
		if u.Changed.After(at) {
			at = u.Changed
		}
		out = append(out, policy.Entry{Word: policy.OneLine(u.Name), At: at})
	}
	return out
}

// admins leaves out the built-in account where it is disabled: nobody can be it.
func (e *Eyes) admins(o policy.Origin, users []Account) policy.Reading {
	members, err := e.Machine.Admins()
	if err != nil {
		return unread(o, err)
	}
	asleep := false
	for _, u := range users {
		asleep = asleep || u.RID == ridAdministrator && u.Disabled
	}
	var out []string
	for _, m := range members {
		if !(asleep && strings.HasSuffix(m.SID, "-500")) {
			out = append(out, m.Name)
		}
	}
	return o.List(policy.Lines(out))
}

func (e *Eyes) minLength() policy.Reading {
	o := e.of(policy.FactMinLength, "NetUserModalsGet")
	n, err := e.Machine.MinLength()
	if err != nil {
		return unread(o, err)
	}
	return o.Number(n)
}
