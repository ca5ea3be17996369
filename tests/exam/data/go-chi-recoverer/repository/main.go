package main

import (
	"fmt"
	"log"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

func main() {
	router := chi.NewRouter()
	router.Use(middleware.RequestID, middleware.Logger, middleware.Recoverer)
	router.Get("/seats/{row}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, seat(chi.URLParam(r, "row")))
	})
	log.Println("ready")
	log.Fatal(http.ListenAndServe(":8080", router))
}
