package agentapi

import (
	"errors"
	"net/http"

	"sekisho/console/store"
)

// known lets a request through with the terminal's id, which comes from its certificate alone:
// of our CA, not ended, in the list of certificates and not revoked, its terminal not retired.
func (a *API) known(do func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
			refuse(w, http.StatusUnauthorized, "cannot answer without a client certificate", "enrol this terminal")
			return
		}
		cert := r.TLS.PeerCertificates[0]
		terminal := cert.Subject.CommonName
		// A resumed or long-lived connection is not checked again by TLS.
		if !a.Now().Before(cert.NotAfter) {
			refuse(w, http.StatusUnauthorized, "cannot answer: the certificate has ended", "enrol this terminal again")
			return
		}
		err := a.DB.Known(r.Context(), terminal, serialText(cert.SerialNumber))
		switch {
		case errors.Is(err, store.ErrNotFound):
			a.Log.Warn().Str("terminal", terminal).Str("address", r.RemoteAddr).Msg("certificate refused")
			refuse(w, http.StatusForbidden, "cannot answer: this certificate is not accepted any more", "the terminal was retired; enrol it again if it is in use")
		case err != nil:
			a.fail(w, terminal, err)
		default:
			do(w, r, terminal)
		}
	}
}
