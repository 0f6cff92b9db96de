package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxSize is how long a policy document may be.
const MaxSize = 4 << 20

// ErrNewer says that the document was made by a console that knows more than this agent.
// The agent keeps the policy it has and says so; it never applies half of a document.
var ErrNewer = errors.New("cannot read policy: it was made for a newer agent")

// Parse reads a policy document and refuses one that Validate finds fault with.
//
// A field we do not know is refused whatever the schema says: a rule whose condition is ignored would match more than
// its author meant. With a newer schema the error is ErrNewer, because then updating the agent helps;
// with our own schema it is a mistake in the document. Either way the caller goes on with what it has.
func Parse(b []byte) (*Policy, error) {
	if len(b) > MaxSize {
		return nil, fmt.Errorf("cannot read policy: %d bytes, more than %d", len(b), MaxSize)
	}
	if err := checkSchema(b); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var p Policy
	if err := dec.Decode(&p); err != nil {
		return nil, fmt.Errorf("cannot read policy: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("cannot read policy: something follows the document")
	}
	if problems := p.Validate(); len(problems) > 0 {
		return nil, fmt.Errorf("cannot accept policy: %s: %s (%d problems)", problems[0].Path, problems[0].Text.EN, len(problems))
	}
	return &p, nil
}

// checkSchema looks at the version alone, so that a newer document is called newer and not wrong.
func checkSchema(b []byte) error {
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return fmt.Errorf("cannot read policy: %w", err)
	}
	if head.Schema > Schema {
		return fmt.Errorf("%w: schema %d, known up to %d", ErrNewer, head.Schema, Schema)
	}
	return nil
}
