package internal

import (
	_ "github.com/kardianos/service"
	_ "github.com/rs/zerolog"
	_ "github.com/shirou/gopsutil/v3/host"
	_ "github.com/shirou/gopsutil/v3/disk"
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/sys/unix"
	_ "modernc.org/sqlite"
	_ "github.com/pressly/goose/v3"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/jackc/pgx/v5/pgxpool"
	_ "pgregory.net/rapid"
	_ "github.com/chromedp/chromedp"
	_ "github.com/google/go-cmp/cmp"
)
