package binary

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
)

// The parts of PKCS#7 that say whose signature it is (https://www.rfc-editor.org/rfc/rfc2315).
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0"`
}

type signedData struct {
	Version      int
	Digests      asn1.RawValue
	Content      asn1.RawValue
	Certificates asn1.RawValue `asn1:"optional,tag:0"`
	Lists        asn1.RawValue `asn1:"optional,tag:1"`
	Signers      []signerInfo  `asn1:"set"`
}

type signerInfo struct {
	Version int
	Of      struct {
		Issuer asn1.RawValue
		Serial *big.Int
	}
}

var errNoSigner = errors.New("it is not signed in a way that can be read")

// signerOf names whose certificate made the signature. Whether it is true is for the system to say.
func signerOf(raw []byte) (string, error) {
	var outer contentInfo
	if _, err := asn1.Unmarshal(raw, &outer); err != nil || !outer.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}) {
		return "", errNoSigner
	}
	var data signedData
	if _, err := asn1.Unmarshal(outer.Content.Bytes, &data); err != nil || len(data.Signers) != 1 {
		return "", errNoSigner
	}
	of := data.Signers[0].Of
	for rest := data.Certificates.Bytes; len(rest) > 0; {
		var one asn1.RawValue
		after, err := asn1.Unmarshal(rest, &one)
		if err != nil {
			break
		}
		rest = after
		cert, err := x509.ParseCertificate(one.FullBytes)
		if err == nil && of.Serial != nil && cert.SerialNumber.Cmp(of.Serial) == 0 && bytes.Equal(cert.RawIssuer, of.Issuer.FullBytes) {
			return publisherName(cert.Subject)
		}
	}
	return "", errNoSigner
}

// publisherName writes a subject as AppLocker does: organisation, place, state, country, in capitals
// (https://learn.microsoft.com/powershell/module/applocker/get-applockerfileinformation shows some).
func publisherName(of pkix.Name) (string, error) {
	var parts []string
	for _, p := range []struct {
		name   string
		values []string
	}{{"O", of.Organization}, {"L", of.Locality}, {"S", of.Province}, {"C", of.Country}} {
		if len(p.values) > 0 && clean(p.values[0]) != "" {
			parts = append(parts, p.name+"="+quoted(p.values[0]))
		}
	}
	if len(of.Organization) == 0 {
		parts = nil
		if of.CommonName != "" {
			parts = []string{"CN=" + quoted(of.CommonName)}
		}
	}
	if len(parts) == 0 {
		return "", errNoSigner
	}
	return cut(strings.Join(parts, ", ")), nil
}

// quoted writes a value that has a comma as Windows does
// (https://learn.microsoft.com/windows/win32/api/wincrypt/nf-wincrypt-certnametostrw).
func quoted(s string) string {
	s = strings.ToUpper(clean(s))
	if strings.ContainsAny(s, `,+="<>#;`) {
		return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return s
}
