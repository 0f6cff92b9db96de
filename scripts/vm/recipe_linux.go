package vm

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed recipe
var recipeFiles embed.FS

// recipeHash names the root file system that the recipe gives.
func recipeHash() (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(recipeFiles, "recipe", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := recipeFiles.ReadFile(path)
		fmt.Fprintf(sum, "%s %d\n%s", path, len(content), content)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil))[:12], err
}

// writeRecipe unpacks the recipe into a folder, so that the binary is all one needs.
func writeRecipe(dir string) error {
	entries, err := recipeFiles.ReadDir("recipe")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		content, err := recipeFiles.ReadFile("recipe/" + entry.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, entry.Name()), content, 0o755); err != nil {
			return err
		}
	}
	return nil
}
