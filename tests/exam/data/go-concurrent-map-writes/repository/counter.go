package main

var hits = map[string]int{}

func count(path string, times int) {
	for n := 0; n < times; n++ {
		hits[path]++
	}
}
