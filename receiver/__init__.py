"""The door: takes alerts in and answers; never analyses. `main` builds it, `app` says who hears what, `clock` pings it."""
