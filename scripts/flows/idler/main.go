// Command idler is a program that somebody may forbid: it says that it runs, and goes on for a minute.
package main

import (
	"fmt"
	"time"
)

func main() {
	fmt.Println("idler runs")
	time.Sleep(time.Minute)
	fmt.Println("idler was left alone")
}
