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
	db.SetMaxOpenConns(40)
	http.HandleFunc("/stats", func(w http.ResponseWriter, r *http.Request) {
		if _, err := db.Exec("select pg_sleep(0.5)"); err != nil {
			log.Printf("stats: %v", err)
			http.Error(w, "failed", http.StatusInternalServerError)
		}
	})
	log.Println("ready")
	log.Fatal(http.ListenAndServe(":8080", nil))
}
