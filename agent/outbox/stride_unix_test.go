//go:build unix

package outbox

// stride: every byte is cut and flipped.
const stride = 1
