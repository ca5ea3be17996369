package main

import (
	"context"
	"log"
	"net/http"
	"time"
)

func main() {
	http.HandleFunc("/weather", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 700*time.Millisecond)
		defer cancel()
		request, _ := http.NewRequestWithContext(ctx, "GET", "http://api.weather-example.com/today", nil)
		if _, err := http.DefaultClient.Do(request); err != nil {
			log.Printf("weather: %v", err)
			http.Error(w, "bad gateway", http.StatusBadGateway)
		}
	})
	log.Println("ready")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
