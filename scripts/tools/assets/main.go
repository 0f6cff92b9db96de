// Command assets bundles the console's scripts and styles from console/web/assets into console/web/dist.
// It never fetches anything: npm did that before.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: assets SOURCE-FOLDER TARGET-FOLDER")
	}
	from, to := args[0], args[1]
	result := api.Build(api.BuildOptions{
		EntryPoints: []string{
			filepath.Join(from, "app.css"),
			filepath.Join(from, "app.js"),
			filepath.Join(from, "theme.js"),
		},
		Outdir:            to,
		Bundle:            true,
		Write:             true,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsEndOfFile, // the licences of what is bundled stay readable
		Format:            api.FormatIIFE,
		Engines:           []api.Engine{{Name: api.EngineEdge, Version: "123"}, {Name: api.EngineFirefox, Version: "128"}},
		LogLevel:          api.LogLevelWarning,
	})
	if len(result.Errors) > 0 {
		return fmt.Errorf("cannot bundle the console's assets: %d errors", len(result.Errors))
	}
	for _, file := range result.OutputFiles {
		fmt.Printf("%s %d bytes\n", filepath.Base(file.Path), len(file.Contents))
	}
	return nil
}
