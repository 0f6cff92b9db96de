package store

// DB is the console's database.
type DB struct{}
