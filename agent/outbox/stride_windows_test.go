package outbox

// stride: the format is the same on every system, and its reader is tested at every byte where files are cheap. Here each
// journal costs dozens of calls to a server process.
const stride = 13
