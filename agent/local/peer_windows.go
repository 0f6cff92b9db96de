package local

import "net"

func peer(net.Conn) int { return -1 }
