package main

import (
	"context"

	"sekisho/internal/osexec"
)

// packageControl is what a Debian package says of itself (dpkg-deb(1), --field).
func packageControl(ctx context.Context, file string) ([]byte, error) {
	return osexec.Run(ctx, osexec.DpkgDeb, osexec.Options{}, "--field", file, "Package", "Version", "Architecture", "Maintainer")
}
