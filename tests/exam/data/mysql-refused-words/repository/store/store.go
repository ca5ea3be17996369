package store

import "database/sql"

// Count returns the number of rows.
func Count(db *sql.DB) (n int, err error) {
	err = db.QueryRow("select count(*) from rows").Scan(&n)
	return n, err
}
