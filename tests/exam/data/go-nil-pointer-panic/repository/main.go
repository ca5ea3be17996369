package main

import (
	"encoding/json"
	"log"
	"net/http"

	"example.com/shop/internal/orders"
)

func main() {
	service := orders.New()
	http.HandleFunc("/orders/", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]int{"total": service.Total(r.URL.Path[len("/orders/"):])})
	})
	http.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) })
	log.Println("listening on :8080")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
