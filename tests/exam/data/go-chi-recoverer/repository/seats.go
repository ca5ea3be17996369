package main

import "strconv"

var rows = []string{"A", "B", "C"}

func seat(text string) string {
	number, _ := strconv.Atoi(text)
	return rows[number] + "1"
}
