package main

// defaultState is where the console lives.
const defaultState = `C:\ProgramData\SekishoConsole`

// rootsConfig: on Windows the configuration is in the console's folder.
const rootsConfig = ""

// begin is what makes the console run with what was set up.
const begin = "sekisho-console install"
