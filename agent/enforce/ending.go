package enforce

import "errors"

// ErrGone says that a program that was to be ended had ended by itself.
var ErrGone = errors.New("it has ended already")
