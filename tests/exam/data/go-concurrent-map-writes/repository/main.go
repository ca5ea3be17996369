package main

import (
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/hit", func(w http.ResponseWriter, r *http.Request) {
		for n := 0; n < 8; n++ {
			go count(r.URL.Path, 200000)
		}
		w.Write([]byte("ok"))
	})
	log.Println("ready")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
