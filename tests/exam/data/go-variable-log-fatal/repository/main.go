package main

import (
	"log"
	"net/http"
	"os"
)

func mustGet(name string) string {
	value, ok := os.LookupEnv(name)
	if !ok {
		log.Fatalf("config: environment variable %s is required", name)
	}
	return value
}

func main() {
	bucket := mustGet("UPLOAD_BUCKET")
	log.Println("uploads go to", bucket)
	log.Fatal(http.ListenAndServe(":8080", nil))
}
