package software

// sources of Windows. A change below a key does not show in the key, so they are read at every look.
func sources(o Options) []source {
	always := func() string { return "" }
	e, err := newRegistryEyes(o)
	if err != nil {
		o.Log.Error().Err(err).Msg("cannot tell which programs of people who are not signed in are new")
	}
	return []source{
		{name: "uninstall", mark: always, read: e.uninstall},
		{name: "msix", mark: always, read: e.packages},
	}
}

const noWait = 0 // only people on Linux put pipes where files were
