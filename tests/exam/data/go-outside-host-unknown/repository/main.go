package main

import (
	"log"
	"net/http"

	"example.com/shop/mail"
)

func main() {
	http.HandleFunc("/invite", func(w http.ResponseWriter, r *http.Request) {
		if err := mail.Send("hello"); err != nil {
			log.Printf("level=error msg=\"invite failed\" err=%q", err.Error())
			http.Error(w, "failed", http.StatusBadGateway)
		}
	})
	log.Println("ready")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
