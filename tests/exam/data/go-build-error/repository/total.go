package main

func total(values []int) int {
	return len(values)
}
