package main

// otherBootID: there is no second name on Linux.
func otherBootID() string { return "" }
