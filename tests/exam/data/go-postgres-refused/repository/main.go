package main

import (
	"database/sql"
	"log"
	"net/http"
	"os"

	_ "github.com/lib/pq"
)

func main() {
	db, err := sql.Open("postgres", os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/members", func(w http.ResponseWriter, r *http.Request) {
		if _, err := db.Query("select name from members"); err != nil {
			log.Printf("GET /members: %v", err)
			http.Error(w, "internal error", http.StatusInternalServerError)
		}
	})
	log.Println("ready, docs at https://club.example-handbook.org")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
